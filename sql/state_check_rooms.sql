-- purpose: state groups of rooms that are gone
-- locks: ACCESS SHARE on state_groups, rooms
-- safe while Synapse runs: yes; reads the whole table of state groups
-- schema: 84-94
SELECT count(*) AS of_vanished_rooms, count(DISTINCT g.room_id) AS vanished_rooms
FROM state_groups g WHERE NOT EXISTS (SELECT 1 FROM rooms r WHERE r.room_id = g.room_id);
