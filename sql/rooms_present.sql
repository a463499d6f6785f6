-- purpose: which of these rooms are still there
-- locks: ACCESS SHARE on rooms
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT room_id FROM rooms WHERE room_id = ANY (:'rooms'::text[]);
