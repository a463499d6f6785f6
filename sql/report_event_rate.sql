-- purpose: events received per hour (UTC)
-- locks: ACCESS SHARE on events
-- safe while Synapse runs: yes; reads the whole table, so at a quiet hour
-- schema: 84-94
-- Hours are counted as numbers: a million times to say one would be most of the work.
SELECT to_char(to_timestamp(h.hour * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS name, h.events
FROM (SELECT received_ts / 3600000 AS hour, count(*) AS events
      FROM events
      WHERE received_ts > (extract(epoch FROM now()) * 1000)::bigint - :'seconds'::bigint * 1000
      GROUP BY 1
      ORDER BY 1 DESC
      LIMIT :'limit'::bigint) AS h
ORDER BY h.hour DESC;
