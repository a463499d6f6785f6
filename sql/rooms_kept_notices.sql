-- purpose: rooms through which the server sends notices to a user
-- locks: ACCESS SHARE on room_tags
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT t.room_id FROM room_tags t
WHERE (:'rooms'::text[] IS NULL OR t.room_id = ANY (:'rooms'::text[])) AND t.tag = 'm.server_notice';
