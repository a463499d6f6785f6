-- purpose: the last name event of rooms that have no other name
-- locks: ACCESS SHARE on events, event_json
-- safe while Synapse runs: yes
-- schema: 84-94
-- role: writer
-- Synapse forgets the name in its statistics when the last local user leaves. The JSON is parsed by the bot, never here.
SELECT r.room_id, named.json AS name_json
FROM unnest(:'rooms'::text[]) AS r (room_id)
CROSS JOIN LATERAL (
  SELECT j.json
  FROM (SELECT n.event_id, n.type, n.stream_ordering
        FROM (SELECT e.event_id, e.type, e.stream_ordering, e.state_key, e.rejection_reason FROM events e
              WHERE e.room_id = r.room_id ORDER BY e.stream_ordering DESC LIMIT 2000) AS n
        WHERE n.type = 'm.room.name' AND n.state_key = '' AND n.rejection_reason IS NULL
        UNION ALL
        SELECT o.event_id, o.type, o.stream_ordering
        FROM (SELECT e.event_id, e.type, e.stream_ordering, e.state_key, e.rejection_reason FROM events e
              WHERE e.room_id = r.room_id ORDER BY e.topological_ordering, e.stream_ordering LIMIT 200) AS o
        WHERE o.type = 'm.room.name' AND o.state_key = '' AND o.rejection_reason IS NULL) AS names
  JOIN event_json j ON j.event_id = names.event_id
  ORDER BY names.stream_ordering DESC LIMIT 1) AS named;
