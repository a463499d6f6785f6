-- purpose: what an alert watches of the homeserver: failing servers, people who registered within an hour, what waits for application services, tasks that stand still
-- locks: ACCESS SHARE on destinations, users, application_services_txns, scheduled_tasks
-- safe while Synapse runs: yes; users and destinations whole, the others are small
-- schema: 84-94
-- users.creation_ts is in seconds, scheduled_tasks.timestamp in milliseconds: when the task last told how far it is.
SELECT (SELECT count(*) FROM destinations WHERE failure_ts IS NOT NULL) AS failing,
       (SELECT count(*) FROM users WHERE creation_ts > extract(epoch FROM now())::bigint - 3600
        AND deactivated = 0 AND appservice_id IS NULL AND is_guest = 0) AS registrations,
       coalesce(queue.waiting, 0) AS queue, coalesce(queue.as_id, '') AS queue_of,
       coalesce(((extract(epoch FROM now()) * 1000)::bigint - task.timestamp) / 1000, 0) AS task_seconds, coalesce(task.action, '') AS task
FROM (SELECT 1) AS one
LEFT JOIN LATERAL (SELECT as_id, count(*) AS waiting FROM application_services_txns GROUP BY as_id ORDER BY 2 DESC, 1 LIMIT 1) AS queue ON true
LEFT JOIN LATERAL (SELECT action, timestamp FROM scheduled_tasks WHERE status = 'active' ORDER BY timestamp LIMIT 1) AS task ON true;
