-- purpose: events whose state group is gone: their rooms lose history or break
-- locks: ACCESS SHARE on event_to_state_groups, events, state_groups
-- safe while Synapse runs: yes; reads the whole table
-- schema: 84-94
SELECT count(*) AS events_without_state FROM event_to_state_groups x
WHERE NOT EXISTS (SELECT 1 FROM state_groups g WHERE g.id = x.state_group) AND EXISTS (SELECT 1 FROM events e WHERE e.event_id = x.event_id);
