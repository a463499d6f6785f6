-- purpose: rooms with a tombstone: users reach their older messages through it. Only for single rooms, it reads all their events
-- locks: ACCESS SHARE on events
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT e.room_id FROM events e
WHERE e.room_id = ANY (:'rooms'::text[]) AND e.type = 'm.room.tombstone' AND e.state_key = '' AND e.rejection_reason IS NULL;
