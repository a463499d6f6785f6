-- purpose: rooms that were reported themselves
-- locks: ACCESS SHARE on room_reports
-- safe while Synapse runs: yes
-- schema: 85-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT q.room_id FROM room_reports q
WHERE (:'rooms'::text[] IS NULL OR q.room_id = ANY (:'rooms'::text[]));
