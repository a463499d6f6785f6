-- purpose: the cache of other servers' media, counted by what a purge would do with it
-- locks: ACCESS SHARE on remote_media_cache
-- safe while Synapse runs: yes; reads the table once
-- schema: 84-94
-- The same choice as Synapse's purge (storage/databases/main/media_repository.py, get_remote_media_ids): a row without an
-- access time is never purged.
SELECT CASE
         WHEN last_access_ts IS NULL THEN 'unopened'
         WHEN last_access_ts >= :'before'::bigint THEN 'recent'
         WHEN quarantined_by IS NOT NULL THEN 'quarantined'
         ELSE 'chosen'
       END AS verdict, count(*) AS files, coalesce(sum(media_length), 0)::bigint AS bytes
FROM remote_media_cache
GROUP BY 1;
