-- purpose: the open ends of one room, the newest first
-- locks: ACCESS SHARE on event_forward_extremities, events
-- safe while Synapse runs: yes; by index
-- schema: 84-94
SELECT x.event_id, e.type, e.sender, e.depth, e.received_ts, (extract(epoch FROM now()) * 1000)::bigint AS now_ms, count(*) OVER () AS total
FROM event_forward_extremities AS x LEFT JOIN events AS e USING (event_id)
WHERE x.room_id = :'room'
ORDER BY e.stream_ordering DESC NULLS LAST, x.event_id
LIMIT :'limit'::bigint;
