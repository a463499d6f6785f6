-- purpose: media by uploader, server, type or month, largest first (months: newest first)
-- locks: ACCESS SHARE on local_media_repository, remote_media_cache
-- safe while Synapse runs: yes; reads both tables
-- schema: 84-94
WITH media AS (
  SELECT CASE :'by' WHEN 'user' THEN coalesce(user_id, '') WHEN 'server' THEN :'server'
                    WHEN 'type' THEN lower(btrim(split_part(media_type, ';', 1)))
                    ELSE to_char(to_timestamp(created_ts / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM') END AS name, media_length
  FROM local_media_repository WHERE media_length IS NOT NULL
  UNION ALL
  SELECT CASE :'by' WHEN 'server' THEN media_origin
                    WHEN 'type' THEN lower(btrim(split_part(media_type, ';', 1)))
                    ELSE to_char(to_timestamp(created_ts / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM') END, media_length
  FROM remote_media_cache WHERE :'by' <> 'user'
)
SELECT coalesce(name, '') AS name, count(*) AS files, coalesce(sum(media_length), 0)::bigint AS bytes, count(*) OVER () AS groups,
       (sum(count(*)) OVER ())::bigint AS all_files, coalesce(sum(sum(media_length)) OVER (), 0)::bigint AS all_bytes
FROM media
GROUP BY media.name
ORDER BY CASE WHEN :'by' = 'month' THEN media.name END DESC NULLS LAST, 3 DESC, 1
LIMIT :'limit'::bigint;
