-- purpose: users by what they uploaded
-- locks: ACCESS SHARE on local_media_repository
-- safe while Synapse runs: yes; by index
-- schema: 84-94
SELECT coalesce(user_id, '(nobody)') AS name, count(*) AS files, sum(media_length)::bigint AS bytes
FROM local_media_repository
WHERE url_cache IS NULL AND media_length IS NOT NULL
GROUP BY 1
ORDER BY 3 DESC NULLS LAST, 1
LIMIT :'limit'::bigint;
