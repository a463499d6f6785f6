-- purpose: events received per hour (UTC)
-- locks: ACCESS SHARE on events
-- safe while Synapse runs: yes; reads the whole table, so at a quiet hour
-- schema: 84-94
SELECT to_char(date_trunc('hour', to_timestamp(received_ts / 1000.0) AT TIME ZONE 'UTC'), 'YYYY-MM-DD HH24:MI') AS name, count(*) AS events
FROM events
WHERE received_ts > (extract(epoch FROM now()) * 1000)::bigint - :'seconds'::bigint * 1000
GROUP BY 1
ORDER BY 1 DESC
LIMIT :'limit'::bigint;
