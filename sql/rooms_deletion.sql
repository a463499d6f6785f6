-- purpose: how far Synapse's deletion of a room is, and whether the room is still there
-- locks: ACCESS SHARE on scheduled_tasks, rooms
-- safe while Synapse runs: yes
-- schema: 84-94
-- prepared: yes
SELECT (SELECT t.status FROM scheduled_tasks t WHERE t.id = :'task') AS status,
       (SELECT t.error FROM scheduled_tasks t WHERE t.id = :'task') AS error,
       EXISTS (SELECT 1 FROM rooms r WHERE r.room_id = :'room') AS present;
