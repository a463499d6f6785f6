-- purpose: media ids that were reserved two days ago or earlier and never uploaded, by user
-- locks: ACCESS SHARE on local_media_repository
-- safe while Synapse runs: yes; reads the whole table, so at a quiet hour
-- schema: 84-94
SELECT coalesce(user_id, '(nobody)') AS name, count(*) AS files, min(created_ts) AS oldest_ms
FROM local_media_repository
WHERE media_length IS NULL AND created_ts < (extract(epoch FROM now()) * 1000)::bigint - 172800000
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT :'limit'::bigint;
