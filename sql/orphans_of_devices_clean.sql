-- purpose: deletes the orphans of a page of the messages that wait for devices, at most :'limit' of them
-- locks: ROW EXCLUSIVE on the table; ACCESS SHARE on device_inbox, devices
-- safe while Synapse runs: yes; Synapse stores messages for devices that are there
-- schema: 84-94
-- role: writer
-- tables: device_inbox (user_id text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- A hidden device is a cross-signing key: nobody reads messages to it.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
orphans AS MATERIALIZED (
  SELECT x.ctid FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM devices d WHERE d.user_id = x.user_id AND d.device_id = x.device_id AND d.hidden IS NOT TRUE OFFSET 0)
  LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.ctid = ANY (ARRAY(SELECT o.ctid FROM orphans o))
    AND NOT EXISTS (SELECT FROM devices d WHERE d.user_id = x.user_id AND d.device_id = x.device_id AND d.hidden IS NOT TRUE OFFSET 0)
  RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone FROM page p;
