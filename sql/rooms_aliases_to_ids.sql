-- purpose: the rooms behind local aliases
-- locks: ACCESS SHARE on room_aliases
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT room_id FROM room_aliases WHERE room_alias = ANY (:'aliases'::text[]);
