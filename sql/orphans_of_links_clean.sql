-- purpose: deletes the orphans of a page of the links between auth chains, at most :'limit' of them
-- locks: ROW EXCLUSIVE on the table; ACCESS SHARE on event_auth_chain_links, event_auth_chains, events
-- safe while Synapse runs: no: Synapse computes new chains from them
-- schema: 84-94
-- role: writer
-- tables: event_auth_chain_links (origin_chain_id int8)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
orphans AS MATERIALIZED (
  SELECT x.ctid FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM event_auth_chains c JOIN events e ON e.event_id = c.event_id
                    WHERE c.chain_id = x.origin_chain_id AND c.sequence_number = x.origin_sequence_number OFFSET 0)
  LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.ctid = ANY (ARRAY(SELECT o.ctid FROM orphans o))
    AND NOT EXISTS (SELECT FROM event_auth_chains c JOIN events e ON e.event_id = c.event_id
                    WHERE c.chain_id = x.origin_chain_id AND c.sequence_number = x.origin_sequence_number OFFSET 0)
  RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone FROM page p;
