-- purpose: a room's local alias, and its name in the statistics
-- locks: ACCESS SHARE on room_aliases, room_stats_state
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT r.room_id, a.room_alias AS alias, s.name AS stats_name
FROM unnest(:'rooms'::text[]) AS r (room_id)
LEFT JOIN LATERAL (SELECT x.room_alias FROM room_aliases x WHERE x.room_id = r.room_id ORDER BY 1 LIMIT 1) AS a ON true
LEFT JOIN room_stats_state s ON s.room_id = r.room_id;
