-- purpose: a page of a table whose rows have a time after which they are of no use: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on the table
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: open_id_tokens (ts_valid_until_ms int8), user_daily_visits (timestamp int8), access_tokens (valid_until_ms int8), refresh_tokens (expiry_ts int8)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- OFFSET 0 keeps the look-up a look-up: one index probe a row, whatever the planner thinks of the page.
-- The key is the time, in milliseconds.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
      AND x.:"key" < :'before'::bigint
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p)
SELECT p.scanned, p.last, (
  SELECT count(*) FROM :"table" x
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND x.:"key" < :'before'::bigint) AS found
FROM page p;
