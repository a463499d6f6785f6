-- purpose: what carries text of redacted events and is not cleaned: current state, edits, abuse reports
-- locks: ACCESS SHARE on redactions, events, current_state_events, event_relations, event_reports
-- safe while Synapse runs: yes
-- schema: 84-94
WITH redacted AS MATERIALIZED (
  SELECT DISTINCT r.redacts AS event_id FROM redactions r JOIN events e ON e.event_id = r.redacts WHERE :'room' = '' OR e.room_id = :'room')
SELECT (SELECT count(*) FROM redacted d JOIN current_state_events c USING (event_id) WHERE c.type IN ('m.room.member', 'm.room.name', 'm.room.topic')) AS current_state,
       (SELECT count(*) FROM redacted d JOIN event_relations x ON x.relates_to_id = d.event_id
        WHERE x.relation_type = 'm.replace' AND NOT EXISTS (SELECT 1 FROM redactions r WHERE r.redacts = x.event_id)) AS edits,
       (SELECT count(*) FROM redacted d JOIN event_reports a USING (event_id)) AS reports;
