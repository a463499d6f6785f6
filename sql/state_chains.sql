-- purpose: the named state groups with everything they are built on, as stored now: enough to collapse each to its full state
-- locks: ACCESS SHARE on state_group_edges, state_groups_state
-- safe while Synapse runs: yes
-- schema: 89-94
-- Each group once, so that a circle ends, too. OFFSET 0 keeps the planner from reading whole tables (the edges once a step).
WITH RECURSIVE chain(id) AS (
  SELECT unnest(:'groups'::bigint[])
  UNION
  SELECT e.prev_state_group FROM chain c CROSS JOIN LATERAL (SELECT prev_state_group FROM state_group_edges WHERE state_group = c.id OFFSET 0) e)
SELECT c.id, e.prev_state_group, s.type, s.state_key, s.event_id, false AS in_use
FROM (SELECT id FROM chain ORDER BY id) c
LEFT JOIN LATERAL (SELECT prev_state_group FROM state_group_edges WHERE state_group = c.id OFFSET 0) e ON true
LEFT JOIN LATERAL (SELECT type, state_key, event_id FROM state_groups_state WHERE state_group = c.id OFFSET 0) s ON true
ORDER BY c.id;
