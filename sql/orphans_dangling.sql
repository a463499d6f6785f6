-- purpose: a page of state group edges that lead nowhere though their own group is there: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on state_group_edges, state_groups
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: state_group_edges (state_group int8)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p)
SELECT p.scanned, p.last, (
  SELECT count(*) FROM :"table" x
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND EXISTS (SELECT FROM state_groups g WHERE g.id = x.state_group OFFSET 0)
    AND NOT EXISTS (SELECT FROM state_groups g WHERE g.id = x.prev_state_group OFFSET 0)) AS found
FROM page p;
