-- purpose: one page of the media of this server, and how many there are in all
-- locks: ACCESS SHARE on local_media_repository, remote_media_cache
-- safe while Synapse runs: yes; reads the table twice, the sort keeps only the page
-- schema: 84-94
-- A reserved id that was never uploaded has no length and is no file. Without a file the one row has a NULL media_id.
WITH media AS NOT MATERIALIZED (
  SELECT :'server'::text AS origin, media_id, coalesce(user_id, '') AS uploader, media_type, media_length, created_ts, last_access_ts,
         quarantined_by, coalesce(safe_from_quarantine, false) AS protected, upload_name, url_cache IS NOT NULL AS preview
  FROM local_media_repository
  WHERE :'local'::boolean AND media_length IS NOT NULL AND (:'user'::text = '' OR user_id = :'user'::text)
  UNION ALL
  SELECT media_origin, media_id, '', media_type, media_length, created_ts, last_access_ts, quarantined_by, false, upload_name, false
  FROM remote_media_cache
  WHERE :'remote'::boolean AND media_length IS NOT NULL
), chosen AS NOT MATERIALIZED (
  SELECT * FROM media
  WHERE (NOT :'quarantined'::boolean OR quarantined_by IS NOT NULL)
    AND media_length >= :'min_size'::bigint
    AND (:'older'::bigint IS NULL OR coalesce(last_access_ts, created_ts) < (extract(epoch FROM now()) * 1000)::bigint - :'older'::bigint * 1000)
    AND (:'ids'::text[] IS NULL OR 'mxc://' || origin || '/' || media_id = ANY (:'ids'::text[]))
), page AS (
  SELECT * FROM chosen
  ORDER BY CASE :'sort'::text WHEN 'size' THEN -media_length::bigint WHEN 'age' THEN created_ts
                              WHEN 'access' THEN coalesce(last_access_ts, created_ts) ELSE -created_ts END, origin, media_id
  LIMIT :'limit'::bigint OFFSET :'offset'::bigint
)
SELECT t.total, t.bytes AS total_bytes, p.origin, p.media_id, p.uploader, p.media_type, p.media_length AS bytes, p.created_ts, p.last_access_ts,
       p.quarantined_by, p.protected, p.upload_name, p.preview, (extract(epoch FROM now()) * 1000)::bigint AS now_ms
FROM (SELECT count(*) AS total, coalesce(sum(media_length), 0)::bigint AS bytes FROM chosen) AS t
LEFT JOIN page p ON true
ORDER BY CASE :'sort'::text WHEN 'size' THEN -p.media_length::bigint WHEN 'age' THEN p.created_ts
                            WHEN 'access' THEN coalesce(p.last_access_ts, p.created_ts) ELSE -p.created_ts END, p.origin, p.media_id;
