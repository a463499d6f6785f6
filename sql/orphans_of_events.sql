-- purpose: a page of a table whose rows come and go with an event: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on the table, events
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: event_search (event_id text), room_retention (room_id text), event_labels (event_id text), event_json (event_id text), event_edges (event_id text), state_events (event_id text), event_relations (event_id text), rejections (event_id text), event_expiry (event_id text), redactions (event_id text), event_auth (event_id text), event_push_actions (room_id text), event_auth_chain_to_calculate (event_id text), event_auth_chains (event_id text), room_memberships (event_id text), local_current_membership (room_id text), current_state_events (room_id text), event_reports (id int8)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- OFFSET 0 keeps the look-up a look-up: one index probe a row, whatever the planner thinks of the page.
-- An id that another room has (room versions 1 and 2) keeps the rows: in doubt nothing goes.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p)
SELECT p.scanned, p.last, (
  SELECT count(*) FROM :"table" x
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM events e WHERE e.event_id = x.event_id OFFSET 0)) AS found
FROM page p;
