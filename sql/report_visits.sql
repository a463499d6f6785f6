-- purpose: people per day (UTC), without guests and application services
-- locks: ACCESS SHARE on user_daily_visits
-- safe while Synapse runs: yes; by index
-- schema: 84-94
SELECT to_char(to_timestamp(timestamp / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS name, count(DISTINCT user_id) AS users
FROM user_daily_visits
WHERE timestamp > (extract(epoch FROM now()) * 1000)::bigint - :'seconds'::bigint * 1000
GROUP BY 1
ORDER BY 1 DESC
LIMIT :'limit'::bigint;
