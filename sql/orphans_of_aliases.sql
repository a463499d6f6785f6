-- purpose: a page of the servers of room aliases: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on room_aliases, room_alias_servers
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: room_alias_servers (room_alias text)
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
    AND NOT EXISTS (SELECT FROM room_aliases a WHERE a.room_alias = x.room_alias OFFSET 0)) AS found
FROM page p;
