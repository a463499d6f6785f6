-- purpose: the next twenty state groups of a room with predecessor, delta, and whether Synapse is about to delete or is just using them
-- locks: ACCESS SHARE on the five tables of state groups
-- safe while Synapse runs: yes
-- schema: 89-94
SELECT g.id, e.prev_state_group, s.type, s.state_key, s.event_id,
       EXISTS (SELECT 1 FROM state_groups_pending_deletion p WHERE p.state_group = g.id)
       OR EXISTS (SELECT 1 FROM state_groups_persisting u WHERE u.state_group = g.id) AS in_use
FROM (SELECT id FROM state_groups WHERE room_id = :'room' AND id > :'after'::bigint ORDER BY id LIMIT 20) g
LEFT JOIN state_group_edges e ON e.state_group = g.id
LEFT JOIN state_groups_state s ON s.state_group = g.id
ORDER BY g.id, e.prev_state_group;
