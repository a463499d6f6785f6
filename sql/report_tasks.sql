-- purpose: Synapse's scheduled tasks by kind and state
-- locks: ACCESS SHARE on scheduled_tasks
-- safe while Synapse runs: yes; small tables
-- schema: 84-94
SELECT action AS name, status, count(*) AS tasks, max(timestamp) AS newest_ms
FROM scheduled_tasks
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT :'limit'::bigint;
