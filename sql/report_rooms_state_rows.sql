-- purpose: rooms by their rows in state_groups_state, counted
-- locks: ACCESS SHARE on state_groups_state, room_stats_state
-- safe while Synapse runs: yes; reads the whole table, so at a quiet hour
-- schema: 84-94
SELECT g.room_id AS name, s.name AS room, g.state_rows
FROM (SELECT room_id, count(*) AS state_rows FROM state_groups_state GROUP BY room_id ORDER BY 2 DESC, 1 LIMIT :'limit'::bigint) AS g
LEFT JOIN room_stats_state AS s USING (room_id)
ORDER BY 3 DESC, 1;
