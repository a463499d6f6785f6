-- purpose: the events of a plan as they are stored now; without JSON those that are gone or whose redactions Synapse has not looked at
-- locks: ACCESS SHARE on event_json, redactions
-- safe while Synapse runs: yes
-- schema: 84-94
-- role: writer
SELECT p.event_id, j.json
FROM unnest(:'events'::text[]) AS p (event_id)
LEFT JOIN event_json j ON j.event_id = p.event_id AND EXISTS (SELECT 1 FROM redactions r WHERE r.redacts = p.event_id AND r.have_censored);
