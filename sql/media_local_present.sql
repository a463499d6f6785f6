-- purpose: which of these local media still exist
-- locks: ACCESS SHARE on local_media_repository
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT media_id FROM local_media_repository WHERE media_id = ANY (:'ids'::text[]);
