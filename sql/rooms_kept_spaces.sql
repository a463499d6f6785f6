-- purpose: spaces, by their room type
-- locks: ACCESS SHARE on room_stats_state
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT s.room_id FROM room_stats_state s
WHERE (:'rooms'::text[] IS NULL OR s.room_id = ANY (:'rooms'::text[])) AND s.room_type = 'm.space';
