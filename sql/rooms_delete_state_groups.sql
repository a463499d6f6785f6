-- purpose: deletes state groups whose rows are gone, with their edges; counts of what went
-- locks: ROW EXCLUSIVE on state_group_edges, state_groups
-- safe while Synapse runs: yes, for a blocked room without local members whose events are gone
-- schema: 84-94
-- role: writer
WITH edges AS (DELETE FROM state_group_edges WHERE state_group = ANY (:'groups'::bigint[]) RETURNING 1),
     groups AS (DELETE FROM state_groups WHERE id = ANY (:'groups'::bigint[]) AND room_id = :'room' RETURNING 1)
SELECT (SELECT count(*) FROM edges) AS state_group_edges, (SELECT count(*) FROM groups) AS state_groups;
