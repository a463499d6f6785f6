-- purpose: rooms with more open ends than one; above ten they slow Synapse down
-- locks: ACCESS SHARE on event_forward_extremities, room_stats_state
-- safe while Synapse runs: yes; small tables
-- schema: 84-94
SELECT x.room_id AS name, max(s.name) AS room, count(*) AS open_ends
FROM event_forward_extremities AS x LEFT JOIN room_stats_state AS s USING (room_id)
GROUP BY x.room_id
HAVING count(*) > 1
ORDER BY 3 DESC, 1
LIMIT :'limit'::bigint;
