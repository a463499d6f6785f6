-- purpose: deletes state groups of rooms that are gone with their rows, at most :'limit' groups of a page
-- locks: ROW EXCLUSIVE on state_groups, state_groups_state, state_group_edges; ACCESS SHARE on event_to_state_groups, rooms, events, scheduled_tasks
-- safe while Synapse runs: yes; below a state group that is in use for an hour nothing is being stored any more
-- schema: 84-94
-- role: writer
-- tables: state_groups (id int8)
-- Names: "table", "key" (a column with an index, never NULL where a row is to be found) and its "type".
-- A group that an event uses, or that the state of another room builds on, is kept. Columns after `gone` are rows of other tables, by their names.
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
    AND NOT EXISTS (SELECT FROM scheduled_tasks t WHERE t.resource_id = d.room_id AND t.status IN ('scheduled', 'active') OFFSET 0)),
orphans AS MATERIALIZED (
  SELECT x.id FROM :"table" x CROSS JOIN page p
  WHERE x.:"key" > CAST(:'after'::text AS :"type") AND x.:"key" <= p.last
    AND x.room_id = ANY (ARRAY(SELECT g.room_id FROM gone_rooms g))
    AND x.id <= :'settled'::bigint
    AND NOT EXISTS (SELECT FROM event_to_state_groups m JOIN events e ON e.event_id = m.event_id WHERE m.state_group = x.id OFFSET 0)
    AND NOT EXISTS (SELECT FROM state_group_edges n JOIN state_groups g ON g.id = n.state_group
                    WHERE n.prev_state_group = x.id AND g.room_id <> x.room_id OFFSET 0)
  ORDER BY x.id LIMIT :'limit'::bigint),
gone AS (
  DELETE FROM :"table" x WHERE x.id = ANY (ARRAY(SELECT o.id FROM orphans o))
    AND NOT EXISTS (SELECT FROM rooms r WHERE r.room_id = x.room_id OFFSET 0)
    AND NOT EXISTS (SELECT FROM events e WHERE e.room_id = x.room_id OFFSET 0)
    AND NOT EXISTS (SELECT FROM scheduled_tasks t WHERE t.resource_id = x.room_id AND t.status IN ('scheduled', 'active') OFFSET 0)
    AND x.id <= :'settled'::bigint
    AND NOT EXISTS (SELECT FROM event_to_state_groups m JOIN events e ON e.event_id = m.event_id WHERE m.state_group = x.id OFFSET 0)
    AND NOT EXISTS (SELECT FROM state_group_edges n JOIN state_groups g ON g.id = n.state_group
                    WHERE n.prev_state_group = x.id AND g.room_id <> x.room_id OFFSET 0)
  RETURNING x.id),
rows_gone AS (DELETE FROM state_groups_state s WHERE s.state_group = ANY (ARRAY(SELECT g.id FROM gone g)) RETURNING 1),
edges_gone AS (DELETE FROM state_group_edges n WHERE n.state_group = ANY (ARRAY(SELECT g.id FROM gone g)) RETURNING 1)
SELECT p.scanned, p.last, (SELECT count(*) FROM gone) AS gone,
       (SELECT count(*) FROM rows_gone) AS state_groups_state, (SELECT count(*) FROM edges_gone) AS state_group_edges
FROM page p;
