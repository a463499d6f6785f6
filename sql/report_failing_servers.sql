-- purpose: servers that cannot be reached, the longest first
-- locks: ACCESS SHARE on destinations
-- safe while Synapse runs: yes; small tables
-- schema: 84-94
SELECT destination AS name, failure_ts AS failing_since_ms, retry_last_ts AS last_try_ms, retry_interval / 1000 AS retry_seconds
FROM destinations
WHERE failure_ts IS NOT NULL
ORDER BY failure_ts, 1
LIMIT :'limit'::bigint;
