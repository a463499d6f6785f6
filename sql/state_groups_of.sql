-- purpose: opens the state groups of a room for reading, by ascending id: predecessor, delta, and whether Synapse is about to delete or is just using them
-- locks: ACCESS SHARE on the five tables of state groups
-- safe while Synapse runs: yes; all of it is as it was when it was opened
-- schema: 89-94
-- Ends with its transaction. OFFSET 0 keeps the planner from reading the whole table for a large room.
DECLARE steward_state NO SCROLL CURSOR FOR
SELECT g.id, e.prev_state_group, s.type, s.state_key, s.event_id, g.in_use
FROM (SELECT id, EXISTS (SELECT 1 FROM state_groups_pending_deletion p WHERE p.state_group = id)
             OR EXISTS (SELECT 1 FROM state_groups_persisting u WHERE u.state_group = id) AS in_use
      FROM state_groups WHERE room_id = :'room' ORDER BY id) g
LEFT JOIN LATERAL (SELECT prev_state_group FROM state_group_edges WHERE state_group = g.id OFFSET 0) e ON true
LEFT JOIN LATERAL (SELECT type, state_key, event_id FROM state_groups_state WHERE state_group = g.id OFFSET 0) s ON true
ORDER BY g.id;
