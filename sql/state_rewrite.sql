-- purpose: gives state groups their new predecessors and deltas; counts of the rows before and after
-- locks: ROW EXCLUSIVE on state_group_edges, state_groups_state
-- safe while Synapse runs: yes, after state_lock and state_bump in the same transaction, between two state_chains that collapse to the same states
-- schema: 89-94
-- role: writer
WITH gone_edges AS (DELETE FROM state_group_edges WHERE state_group = ANY (:'groups'::bigint[]) RETURNING 1),
gone AS (DELETE FROM state_groups_state WHERE state_group = ANY (:'groups'::bigint[]) RETURNING 1),
new_edges AS (
  INSERT INTO state_group_edges (state_group, prev_state_group)
  SELECT * FROM unnest(:'edge_groups'::bigint[], :'predecessors'::bigint[]) RETURNING 1),
written AS (
  INSERT INTO state_groups_state (state_group, room_id, type, state_key, event_id)
  SELECT x.id, :'room', x.type, x.state_key, x.event_id
  FROM unnest(:'row_groups'::bigint[], :'types'::text[], :'state_keys'::text[], :'events'::text[]) x(id, type, state_key, event_id) RETURNING 1)
SELECT (SELECT count(*) FROM gone_edges) AS gone_edges, (SELECT count(*) FROM new_edges) AS new_edges,
       (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM written) AS written;
