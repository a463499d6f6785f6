-- purpose: a page of the links between auth chains: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on event_auth_chain_links, event_auth_chains, events
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: event_auth_chain_links (origin_chain_id int8)
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
    AND NOT EXISTS (SELECT FROM event_auth_chains c JOIN events e ON e.event_id = c.event_id
                    WHERE c.chain_id = x.origin_chain_id AND c.sequence_number = x.origin_sequence_number OFFSET 0)) AS found
FROM page p;
