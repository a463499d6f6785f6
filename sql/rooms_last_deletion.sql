-- purpose: the newest deletion of a room that Synapse knows of, and whether the room is still there
-- locks: ACCESS SHARE on scheduled_tasks, rooms
-- safe while Synapse runs: yes
-- schema: 84-94
-- prepared: yes
SELECT t.id AS task, t.status, t.error, EXISTS (SELECT 1 FROM rooms r WHERE r.room_id = :'room') AS present
FROM (SELECT 1) AS one
LEFT JOIN LATERAL (SELECT s.id, s.status, s.error FROM scheduled_tasks s
                   WHERE s.resource_id = :'room' AND s.action = 'shutdown_and_purge_room'
                   ORDER BY s.timestamp DESC LIMIT 1) AS t ON true;
