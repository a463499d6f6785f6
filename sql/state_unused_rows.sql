-- purpose: how many rows of state these groups hold
-- locks: ACCESS SHARE on state_groups_state
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT count(*) AS state_rows FROM state_groups_state WHERE state_group = ANY (:'groups'::bigint[]);
