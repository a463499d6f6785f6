-- purpose: the next 2000 redactions that Synapse has looked at: what of the redacted event is stored outside of event_json, and then its JSON
-- locks: ACCESS SHARE on redactions, events, event_json, event_search, room_memberships, current_state_events
-- safe while Synapse runs: yes
-- schema: 84-94
-- role: writer
-- Each redaction is a row, also without a find, so that the last one is known. 'older' in milliseconds, 0: all; an unknown time is not old.
-- Names that a current membership carries are read by Synapse and stay.
SELECT r.event_id AS redaction, f.event_id, f.search_rows, f.old_columns, f.names, f.json
FROM (SELECT event_id, redacts FROM redactions
      WHERE have_censored AND event_id > :'after'
        AND (:'older'::bigint = 0 OR received_ts <= (extract(epoch FROM now()) * 1000)::bigint - :'older'::bigint)
      ORDER BY event_id LIMIT 2000) r
LEFT JOIN LATERAL (
  SELECT e.event_id, j.json, (SELECT count(*) FROM event_search s WHERE s.event_id = e.event_id) AS search_rows,
         (e.content IS NOT NULL OR e.unrecognized_keys IS NOT NULL)::int AS old_columns,
         EXISTS (SELECT 1 FROM room_memberships m WHERE m.event_id = e.event_id AND (m.display_name IS NOT NULL OR m.avatar_url IS NOT NULL)
                   AND NOT EXISTS (SELECT 1 FROM current_state_events c WHERE c.event_id = m.event_id))::int AS names
  FROM events e JOIN event_json j ON j.event_id = e.event_id
  WHERE e.event_id = r.redacts AND (:'room' = '' OR e.room_id = :'room')
  OFFSET 0) f ON f.search_rows > 0 OR f.old_columns > 0 OR f.names > 0
ORDER BY r.event_id;
