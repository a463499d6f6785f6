-- purpose: rooms whose sliding sync rows are to be computed anew: their foreign key stops a purge
-- locks: ACCESS SHARE on sliding_sync_joined_rooms_to_recalculate
-- safe while Synapse runs: yes
-- schema: 87-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT s.room_id FROM sliding_sync_joined_rooms_to_recalculate s
WHERE (:'rooms'::text[] IS NULL OR s.room_id = ANY (:'rooms'::text[]));
