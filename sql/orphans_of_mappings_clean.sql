-- purpose: deletes the orphans of a page of the state groups of events, at most :'limit' of them
-- locks: ROW EXCLUSIVE on the table; ACCESS SHARE on the table, events
-- safe while Synapse runs: yes; below a state group that is in use for an hour nothing is being stored any more
-- schema: 84-94
-- role: writer
-- tables: event_to_state_groups (event_id text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- Like orphans_of_events, for event_to_state_groups.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
orphans AS MATERIALIZED (
  SELECT x.ctid FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM events e WHERE e.event_id = x.event_id OFFSET 0)
    AND x.state_group <= :'settled'::bigint
  LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.ctid = ANY (ARRAY(SELECT o.ctid FROM orphans o))
    AND NOT EXISTS (SELECT FROM events e WHERE e.event_id = x.event_id OFFSET 0)
    AND x.state_group <= :'settled'::bigint
  RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone FROM page p;
