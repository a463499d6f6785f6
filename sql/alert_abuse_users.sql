-- purpose: reports of users that came after the last one told
-- locks: ACCESS SHARE on user_reports
-- safe while Synapse runs: yes; a small table
-- schema: 92-94
SELECT id, received_ts, user_id AS reporter, target_user_id AS target, '' AS room_id, left(coalesce(reason, ''), 300) AS reason
FROM user_reports
WHERE (received_ts, id) > (:'after_ms'::bigint, :'after_id'::bigint)
ORDER BY received_ts, id
LIMIT :'limit'::bigint;
