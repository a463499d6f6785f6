-- purpose: a page of the state groups of events: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on the table, events
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: event_to_state_groups (event_id text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- OFFSET 0 keeps the look-up a look-up: one index probe a row, whatever the planner thinks of the page.
-- Like orphans_of_events, for event_to_state_groups.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p)
SELECT p.scanned, p.last, (
  SELECT count(*) FROM :"table" x
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM events e WHERE e.event_id = x.event_id OFFSET 0)
    AND x.state_group <= :'settled'::bigint) AS found
FROM page p;
