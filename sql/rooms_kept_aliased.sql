-- purpose: rooms with a local alias
-- locks: ACCESS SHARE on room_aliases
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT a.room_id FROM room_aliases a
WHERE (:'rooms'::text[] IS NULL OR a.room_id = ANY (:'rooms'::text[]));
