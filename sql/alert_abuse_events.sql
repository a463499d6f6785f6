-- purpose: reports of events that came after the last one told, with who sent the event and where
-- locks: ACCESS SHARE on event_reports, events
-- safe while Synapse runs: yes; a small table
-- schema: 84-94
SELECT r.id, r.received_ts, r.user_id AS reporter, coalesce(e.sender, '') AS target, r.room_id, left(coalesce(r.reason, ''), 300) AS reason
FROM event_reports AS r LEFT JOIN events AS e ON e.event_id = r.event_id
WHERE (r.received_ts, r.id) > (:'after_ms'::bigint, :'after_id'::bigint)
ORDER BY r.received_ts, r.id
LIMIT :'limit'::bigint;
