-- purpose: how many cached remote media a purge up to this moment would still take
-- locks: ACCESS SHARE on remote_media_cache
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT count(*) AS files, coalesce(sum(media_length), 0)::bigint AS bytes
FROM remote_media_cache
WHERE last_access_ts < :'before'::bigint AND quarantined_by IS NULL;
