-- purpose: one file of the media store with its thumbnails
-- locks: ACCESS SHARE on the four tables of media
-- safe while Synapse runs: yes; by index
-- schema: 84-94
SELECT true AS local, m.user_id AS uploader, m.media_type, m.media_length AS bytes, m.created_ts, m.last_access_ts, m.quarantined_by,
       coalesce(m.safe_from_quarantine, false) AS protected, m.upload_name, m.url_cache IS NOT NULL AS preview,
       (SELECT count(*) FROM local_media_repository_thumbnails t WHERE t.media_id = m.media_id) AS thumbnails,
       (SELECT coalesce(sum(t.thumbnail_length), 0)::bigint FROM local_media_repository_thumbnails t WHERE t.media_id = m.media_id) AS thumbnail_bytes,
       (extract(epoch FROM now()) * 1000)::bigint AS now_ms
FROM local_media_repository m
WHERE :'origin' = :'server' AND m.media_id = :'media_id'
UNION ALL
SELECT false, NULL, m.media_type, m.media_length, m.created_ts, m.last_access_ts, m.quarantined_by, false, m.upload_name, false,
       (SELECT count(*) FROM remote_media_cache_thumbnails t WHERE t.media_origin = m.media_origin AND t.media_id = m.media_id),
       (SELECT coalesce(sum(t.thumbnail_length), 0)::bigint FROM remote_media_cache_thumbnails t WHERE t.media_origin = m.media_origin AND t.media_id = m.media_id),
       (extract(epoch FROM now()) * 1000)::bigint
FROM remote_media_cache m
WHERE :'origin' <> :'server' AND m.media_origin = :'origin' AND m.media_id = :'media_id';
