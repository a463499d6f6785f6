-- purpose: deletes the orphans of a page of a table whose rows come and go with an event, at most :'limit' of them
-- locks: ROW EXCLUSIVE on the table; ACCESS SHARE on the table, events
-- safe while Synapse runs: for tables whose rows are written in the transaction of their event, so that an event not yet visible hides its rows too
-- schema: 84-94
-- role: writer
-- tables: event_search (event_id text), room_retention (room_id text), event_labels (event_id text), event_json (event_id text), event_edges (event_id text), state_events (event_id text), event_relations (event_id text), rejections (event_id text), event_expiry (event_id text), redactions (event_id text), event_auth (event_id text), event_push_actions (room_id text), event_auth_chain_to_calculate (event_id text), event_auth_chains (event_id text), room_memberships (event_id text), local_current_membership (room_id text), current_state_events (room_id text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- An id that another room has (room versions 1 and 2) keeps the rows: in doubt nothing goes.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
orphans AS MATERIALIZED (
  SELECT x.ctid FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND NOT EXISTS (SELECT FROM events e WHERE e.event_id = x.event_id OFFSET 0)
  LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.ctid = ANY (ARRAY(SELECT o.ctid FROM orphans o))
    AND NOT EXISTS (SELECT FROM events e WHERE e.event_id = x.event_id OFFSET 0)
  RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone FROM page p;
