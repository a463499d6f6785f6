-- purpose: which of these names of files cached media of a server have
-- locks: ACCESS SHARE on remote_media_cache
-- safe while Synapse runs: yes; reads all that is cached of the server
-- schema: 84-94
SELECT filesystem_id AS file_id FROM remote_media_cache WHERE media_origin = :'origin' AND filesystem_id = ANY (:'ids'::text[]);
