-- purpose: rooms that an admin blocked
-- locks: ACCESS SHARE on blocked_rooms
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT b.room_id FROM blocked_rooms b
WHERE (:'rooms'::text[] IS NULL OR b.room_id = ANY (:'rooms'::text[]));
