-- purpose: rooms by the number of their events
-- locks: ACCESS SHARE on events, room_stats_state
-- safe while Synapse runs: yes; reads the whole table, so at a quiet hour
-- schema: 84-94
SELECT e.room_id AS name, max(s.name) AS room, count(*) AS events
FROM events AS e LEFT JOIN room_stats_state AS s USING (room_id)
GROUP BY e.room_id
ORDER BY 3 DESC, 1
LIMIT :'limit'::bigint;
