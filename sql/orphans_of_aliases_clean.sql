-- purpose: deletes the orphans of a page of the servers of room aliases, at most :'limit' of them
-- locks: ROW EXCLUSIVE on the table; ACCESS SHARE on room_aliases, room_alias_servers
-- safe while Synapse runs: yes; both are written in one transaction
-- schema: 84-94
-- role: writer
-- tables: room_alias_servers (room_alias text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
orphans AS MATERIALIZED (
  SELECT x.ctid FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM room_aliases a WHERE a.room_alias = x.room_alias OFFSET 0)
  LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.ctid = ANY (ARRAY(SELECT o.ctid FROM orphans o))
    AND NOT EXISTS (SELECT FROM room_aliases a WHERE a.room_alias = x.room_alias OFFSET 0)
  RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone FROM page p;
