-- purpose: a page of the messages that wait for devices: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on device_inbox, devices
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: device_inbox (user_id text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- OFFSET 0 keeps the look-up a look-up: one index probe a row, whatever the planner thinks of the page.
-- A hidden device is a cross-signing key: nobody reads messages to it.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p)
SELECT p.scanned, p.last, (
  SELECT count(*) FROM :"table" x
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM devices d WHERE d.user_id = x.user_id AND d.device_id = x.device_id AND d.hidden IS NOT TRUE OFFSET 0)) AS found
FROM page p;
