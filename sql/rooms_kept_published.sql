-- purpose: rooms in the room directory
-- locks: ACCESS SHARE on rooms, appservice_room_list
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT r.room_id FROM rooms r
WHERE (:'rooms'::text[] IS NULL OR r.room_id = ANY (:'rooms'::text[])) AND r.is_public
UNION
SELECT l.room_id FROM appservice_room_list l
WHERE (:'rooms'::text[] IS NULL OR l.room_id = ANY (:'rooms'::text[]));
