-- purpose: of these rooms those without statistics, whose create event speaks of a space: to be read and judged by the bot
-- locks: ACCESS SHARE on room_stats_state, events, event_json
-- safe while Synapse runs: yes
-- schema: 84-94
-- prepared: yes
-- role: writer
SELECT r.room_id, j.json AS create_json
FROM unnest(:'rooms'::text[]) AS r (room_id)
CROSS JOIN LATERAL (SELECT e.event_id, e.type FROM events e WHERE e.room_id = r.room_id
                    ORDER BY e.topological_ordering, e.stream_ordering LIMIT 1) AS first
JOIN event_json j ON j.event_id = first.event_id
WHERE NOT EXISTS (SELECT 1 FROM room_stats_state s WHERE s.room_id = r.room_id)
  AND first.type = 'm.room.create' AND position('m.space' IN j.json) > 0;
