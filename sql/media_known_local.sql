-- purpose: which of these ids local media have
-- locks: ACCESS SHARE on local_media_repository
-- safe while Synapse runs: yes; by the primary key
-- schema: 84-94
SELECT media_id AS file_id FROM local_media_repository WHERE media_id = ANY (:'ids'::text[]) AND :'origin'::text = '';
