-- purpose: people seen within a day, a week, 30 days (Synapse forgets after 28 days by default: the last is a lower bound)
-- locks: ACCESS SHARE on user_ips
-- safe while Synapse runs: yes; by index
-- schema: 84-94
SELECT w.name, (SELECT count(DISTINCT user_id) FROM user_ips WHERE last_seen > (extract(epoch FROM now()) * 1000)::bigint - w.days * 86400000) AS users
FROM (VALUES (1, 'within a day', 1::bigint), (2, 'within a week', 7), (3, 'within 30 days', 30)) AS w (place, name, days)
ORDER BY w.place;
