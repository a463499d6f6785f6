-- purpose: media by uploader, server, type or month, largest first (months: newest first)
-- locks: ACCESS SHARE on local_media_repository, remote_media_cache
-- safe while Synapse runs: yes; reads both tables
-- schema: 84-94
-- Counted by what the rows hold, named after that: there are far fewer types and days than rows.
WITH media AS (
  SELECT CASE :'by' WHEN 'user' THEN coalesce(user_id, '') WHEN 'server' THEN :'server' WHEN 'type' THEN media_type
                    ELSE (created_ts / 86400000)::text END AS key, count(*) AS files, sum(media_length) AS bytes
  FROM local_media_repository WHERE media_length IS NOT NULL GROUP BY 1
  UNION ALL
  SELECT CASE :'by' WHEN 'server' THEN media_origin WHEN 'type' THEN media_type ELSE (created_ts / 86400000)::text END, count(*), sum(media_length)
  FROM remote_media_cache WHERE :'by' <> 'user' GROUP BY 1
), named AS (
  SELECT CASE WHEN :'by' IN ('user', 'server') THEN key WHEN :'by' = 'type' THEN lower(btrim(split_part(key, ';', 1)))
              ELSE to_char(to_timestamp(key::bigint * 86400) AT TIME ZONE 'UTC', 'YYYY-MM') END AS name, files, bytes
  FROM media
)
SELECT coalesce(name, '') AS name, sum(files)::bigint AS files, coalesce(sum(bytes), 0)::bigint AS bytes, count(*) OVER () AS groups,
       (sum(sum(files)) OVER ())::bigint AS all_files, coalesce(sum(sum(bytes)) OVER (), 0)::bigint AS all_bytes
FROM named
GROUP BY named.name
ORDER BY CASE WHEN :'by' = 'month' THEN named.name END DESC NULLS LAST, 3 DESC, 1
LIMIT :'limit'::bigint;
