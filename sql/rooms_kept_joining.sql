-- purpose: rooms that are being joined: their state is not complete yet
-- locks: ACCESS SHARE on partial_state_rooms
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT p.room_id FROM partial_state_rooms p
WHERE (:'rooms'::text[] IS NULL OR p.room_id = ANY (:'rooms'::text[]));
