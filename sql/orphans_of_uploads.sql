-- purpose: a page of the media that were reserved and never uploaded: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on local_media_repository
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: local_media_repository (media_id text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- OFFSET 0 keeps the look-up a look-up: one index probe a row, whatever the planner thinks of the page.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p)
SELECT p.scanned, p.last, (
  SELECT count(*) FROM :"table" x
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND x.media_length IS NULL AND x.media_type IS NULL AND x.url_cache IS NULL AND x.quarantined_by IS NULL
    AND x.created_ts < :'before'::bigint) AS found
FROM page p;
