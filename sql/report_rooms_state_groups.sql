-- purpose: rooms by the number of their state groups
-- locks: ACCESS SHARE on state_groups, room_stats_state
-- safe while Synapse runs: yes; by index
-- schema: 84-94
SELECT g.room_id AS name, s.name AS room, g.state_groups
FROM (SELECT room_id, count(*) AS state_groups FROM state_groups GROUP BY room_id ORDER BY 2 DESC, 1 LIMIT :'limit'::bigint) AS g
LEFT JOIN room_stats_state AS s USING (room_id)
ORDER BY 3 DESC, 1;
