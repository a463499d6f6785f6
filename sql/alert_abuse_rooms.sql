-- purpose: reports of rooms that came after the last one told
-- locks: ACCESS SHARE on room_reports
-- safe while Synapse runs: yes; a small table
-- schema: 92-94
SELECT id, received_ts, user_id AS reporter, '' AS target, room_id, left(coalesce(reason, ''), 300) AS reason
FROM room_reports
WHERE (received_ts, id) > (:'after_ms'::bigint, :'after_id'::bigint)
ORDER BY received_ts, id
LIMIT :'limit'::bigint;
