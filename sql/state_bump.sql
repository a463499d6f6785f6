-- purpose: tells a deletion by Synapse that has begun meanwhile that these groups are in use: it fails to serialize and looks anew
-- locks: ROW EXCLUSIVE on state_groups_pending_deletion
-- safe while Synapse runs: yes; without it such a deletion would not see the new edges (the row lock alone does not help, tried)
-- schema: 89-94
-- role: writer
UPDATE state_groups_pending_deletion SET sequence_number = DEFAULT, insertion_ts = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE state_group = ANY (:'groups'::bigint[]);
