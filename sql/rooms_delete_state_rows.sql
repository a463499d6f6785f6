-- purpose: deletes some of the rows of state groups that no event names any more
-- locks: ROW EXCLUSIVE on state_groups_state
-- safe while Synapse runs: yes, for a blocked room without local members whose events are gone
-- schema: 84-94
-- role: writer
DELETE FROM state_groups_state
WHERE ctid = ANY (ARRAY(SELECT ctid FROM state_groups_state WHERE state_group = ANY (:'groups'::bigint[]) LIMIT :'limit'::bigint))
  AND state_group = ANY (:'groups'::bigint[]);
