-- purpose: locks the named state groups of a room against deletion; those that Synapse is about to delete, or is just using, are not among the rows
-- locks: ROW SHARE on state_groups with FOR KEY SHARE on the rows, as Synapse does itself
-- safe while Synapse runs: yes
-- schema: 89-94
-- role: writer
SELECT g.id FROM state_groups g
WHERE g.id = ANY (:'groups'::bigint[]) AND g.room_id = :'room'
  AND NOT EXISTS (SELECT 1 FROM state_groups_pending_deletion p WHERE p.state_group = g.id)
  AND NOT EXISTS (SELECT 1 FROM state_groups_persisting u WHERE u.state_group = g.id)
FOR KEY SHARE OF g;
