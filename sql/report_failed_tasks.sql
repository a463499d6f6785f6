-- purpose: what failed among Synapse's scheduled tasks, newest first
-- locks: ACCESS SHARE on scheduled_tasks
-- safe while Synapse runs: yes; small tables
-- schema: 84-94
SELECT coalesce(resource_id, id) AS name, action, timestamp AS at_ms, left(coalesce(error, ''), 200) AS error
FROM scheduled_tasks
WHERE status = 'failed'
ORDER BY timestamp DESC, 1
LIMIT :'limit'::bigint;
