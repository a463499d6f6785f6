-- purpose: a page of a table whose rows belong to a room: how far it reaches, how many rows of it are orphans
-- locks: ACCESS SHARE on the table, rooms, events, scheduled_tasks
-- safe while Synapse runs: yes
-- schema: 84-94
-- tables: threads (room_id text), room_stats_current (room_id text), room_stats_state (room_id text), room_stats_earliest_token (room_id text), event_push_summary (room_id text), room_depth (room_id text), event_backward_extremities (room_id text), stream_ordering_to_exterm (room_id text), users_in_public_rooms (room_id text), users_who_share_private_rooms (room_id text), federation_inbound_events_staging (room_id text), current_state_delta_stream (stream_id int8), e2e_room_keys (user_id text)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- OFFSET 0 keeps the look-up a look-up: one index probe a row, whatever the planner thinks of the page.
-- A room is gone when it has neither a row in rooms nor an event, and Synapse is not working on it.
-- Rooms are looked up once for a page, not once for a row: many rows have the same.
WITH page AS MATERIALIZED (
  SELECT max(p.at) AS last, count(*) AS scanned FROM (
    SELECT x.:"key" AS at FROM :"table" x WHERE x.:"key" > CAST(:'after'::text AS :"type")
      AND (:'until'::text IS NULL OR x.:"key" <= CAST(:'until'::text AS :"type"))
    ORDER BY x.:"key" LIMIT :'limit'::bigint) p),
gone_rooms AS MATERIALIZED (
  SELECT d.room_id FROM (SELECT DISTINCT x.room_id FROM :"table" x CROSS JOIN page p
    WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last) d
  WHERE NOT EXISTS (SELECT FROM rooms r WHERE r.room_id = d.room_id OFFSET 0)
    AND NOT EXISTS (SELECT FROM events e WHERE e.room_id = d.room_id OFFSET 0)
    AND NOT EXISTS (SELECT FROM scheduled_tasks t WHERE t.resource_id = d.room_id AND t.status IN ('scheduled', 'active') OFFSET 0))
SELECT p.scanned, p.last, (
  SELECT count(*) FROM :"table" x
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND x.room_id = ANY (ARRAY(SELECT g.room_id FROM gone_rooms g))) AS found
FROM page p;
