-- purpose: deletes the orphans of a page of a table whose rows have a time after which they are of no use, at most :'limit' of them
-- locks: ROW EXCLUSIVE on the table; ACCESS SHARE on the table
-- safe while Synapse runs: for the tables that Synapse does not keep in memory
-- schema: 84-94
-- role: writer
-- tables: open_id_tokens (ts_valid_until_ms int8), user_daily_visits (timestamp int8)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- The key is the time, in milliseconds.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
      AND x.:"key" < :'before'::bigint
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
orphans AS MATERIALIZED (
  SELECT x.ctid FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND x.:"key" < :'before'::bigint
  LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.ctid = ANY (ARRAY(SELECT o.ctid FROM orphans o))
    AND x.:"key" < :'before'::bigint
  RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone FROM page p;
