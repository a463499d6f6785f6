-- purpose: the cache of other servers' media by its origin
-- locks: ACCESS SHARE on remote_media_cache
-- safe while Synapse runs: yes; reads the whole table, so at a quiet hour
-- schema: 84-94
SELECT media_origin AS name, count(*) AS files, sum(media_length)::bigint AS bytes, min(last_access_ts) AS oldest_access_ms
FROM remote_media_cache
GROUP BY 1
ORDER BY 3 DESC NULLS LAST, 1
LIMIT :'limit'::bigint;
