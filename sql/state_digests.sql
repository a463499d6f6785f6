-- purpose: a checksum of the full state of each group, by walking its chain
-- locks: ACCESS SHARE on state_group_edges, state_groups_state
-- safe while Synapse runs: yes
-- schema: 89-94
-- A chain without end (a circle) ends with the statement's time limit.
WITH RECURSIVE chain(start, at) AS (
  SELECT id, id FROM unnest(:'groups'::bigint[]) id
  UNION ALL
  SELECT c.start, e.prev_state_group FROM chain c JOIN state_group_edges e ON e.state_group = c.at),
newest AS (
  SELECT DISTINCT ON (c.start, s.type, s.state_key) c.start, s.type, s.state_key, s.event_id
  FROM chain c JOIN state_groups_state s ON s.state_group = c.at
  ORDER BY c.start, s.type, s.state_key, c.at DESC)
SELECT start AS id, count(*) AS keys,
       encode(sha256(convert_to(string_agg(format('%L %L %L', type, state_key, event_id), ',' ORDER BY type, state_key), 'UTF8')), 'hex') AS digest
FROM newest GROUP BY start ORDER BY start;
