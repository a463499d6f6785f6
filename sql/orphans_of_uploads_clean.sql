-- purpose: deletes the orphans of a page of the media that were reserved and never uploaded, at most :'limit' of them
-- locks: ROW EXCLUSIVE on the table; ACCESS SHARE on local_media_repository
-- safe while Synapse runs: yes; Synapse takes no upload for a reservation that old
-- schema: 84-94
-- role: writer
-- tables: local_media_repository (media_id text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
orphans AS MATERIALIZED (
  SELECT x.ctid FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND x.media_length IS NULL AND x.media_type IS NULL AND x.url_cache IS NULL AND x.quarantined_by IS NULL
    AND x.created_ts < :'before'::bigint
  LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.ctid = ANY (ARRAY(SELECT o.ctid FROM orphans o))
    AND x.media_length IS NULL AND x.media_type IS NULL AND x.url_cache IS NULL AND x.quarantined_by IS NULL
    AND x.created_ts < :'before'::bigint
  RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone FROM page p;
