-- purpose: the files that cached media of other servers should have, page by page
-- locks: ACCESS SHARE on remote_media_cache
-- safe while Synapse runs: yes; by the primary key
-- schema: 84-94
SELECT media_origin AS origin, media_id, filesystem_id AS file_id, media_length AS bytes, false AS preview
FROM remote_media_cache
WHERE (media_origin, media_id) > (:'after_origin'::text, :'after_id'::text)
ORDER BY media_origin, media_id
LIMIT :'limit'::bigint;
