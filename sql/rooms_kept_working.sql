-- purpose: rooms that one of Synapse's tasks works on, a deletion for example
-- locks: ACCESS SHARE on scheduled_tasks
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT t.resource_id AS room_id FROM scheduled_tasks t
WHERE (:'rooms'::text[] IS NULL OR t.resource_id = ANY (:'rooms'::text[]))
  AND t.status IN ('scheduled', 'active') AND t.resource_id LIKE '!%';
