-- purpose: the bot's own counts for whoever watches it: jobs and schedules by state, what waits, the last report's numbers
-- locks: ACCESS SHARE on the bot's own tables
-- safe while Synapse runs: yes, it reads the bot's own schema only
-- schema: the bot's own (search_path)
SELECT 'steward_jobs{state="' || state || '"}' AS name, count(*)::float8 AS value FROM job GROUP BY state
UNION ALL SELECT 'steward_schedules{state="' || state || '"}', count(*) FROM schedule GROUP BY state
UNION ALL SELECT 'steward_alerts_firing', count(*) FROM alert WHERE firing
UNION ALL SELECT 'steward_inbox_waiting', count(*) FROM inbox WHERE state = 'new'
UNION ALL SELECT 'steward_outbox_waiting', count(*) FROM outbox WHERE state = 'waiting'
UNION ALL SELECT 'steward_outbox_oldest_seconds', coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM outbox WHERE state = 'waiting'
UNION ALL SELECT 'steward_report_' || name, value FROM figure WHERE taken_at = (SELECT max(taken_at) FROM figure)
ORDER BY 1;
