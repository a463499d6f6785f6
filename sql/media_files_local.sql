-- purpose: the files that local media should have, page by page
-- locks: ACCESS SHARE on local_media_repository
-- safe while Synapse runs: yes; by the primary key
-- schema: 84-94
SELECT '' AS origin, media_id, media_id AS file_id, media_length AS bytes, url_cache IS NOT NULL AS preview
FROM local_media_repository
WHERE media_id > :'after_id' AND media_length IS NOT NULL AND :'after_origin'::text = ''
ORDER BY media_id
LIMIT :'limit'::bigint;
