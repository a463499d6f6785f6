-- purpose: deletes the orphans of a page of a table whose rows belong to a state group, at most :'limit' of them
-- locks: ROW EXCLUSIVE on the table; ACCESS SHARE on the table, state_groups
-- safe while Synapse runs: yes; a state group and its rows are written in one transaction
-- schema: 84-94
-- role: writer
-- tables: state_groups_state (state_group int8), state_group_edges (state_group int8), state_groups_pending_deletion (state_group int8 since 89)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
orphans AS MATERIALIZED (
  SELECT x.ctid FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM state_groups g WHERE g.id = x.state_group OFFSET 0)
    AND x.state_group <= :'settled'::bigint
  LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.ctid = ANY (ARRAY(SELECT o.ctid FROM orphans o))
    AND NOT EXISTS (SELECT FROM state_groups g WHERE g.id = x.state_group OFFSET 0)
    AND x.state_group <= :'settled'::bigint
  RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone FROM page p;
