-- purpose: one local file directly before it is deleted: whether it still qualifies
-- locks: ACCESS SHARE on local_media_repository
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT media_length AS bytes, quarantined_by IS NOT NULL AS quarantined, coalesce(safe_from_quarantine, false) AS protected,
       :'before'::bigint IS NOT NULL AND (coalesce(last_access_ts, created_ts) < :'before'::bigint) IS NOT TRUE AS opened
FROM local_media_repository
WHERE media_id = :'media_id';
