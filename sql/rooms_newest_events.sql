-- purpose: the newest events of a room, or those before a place in the stream
-- locks: ACCESS SHARE on events
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT event_id, stream_ordering FROM events
WHERE room_id = :'room' AND stream_ordering < coalesce(:'before'::bigint, 9223372036854775807)
ORDER BY stream_ordering DESC LIMIT :'limit'::bigint;
