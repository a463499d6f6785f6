-- purpose: Synapse's queue of state groups to delete, and those that a write holds
-- locks: ACCESS SHARE on state_groups_pending_deletion, state_groups_persisting, state_groups
-- safe while Synapse runs: yes; small tables
-- schema: 89-94
SELECT count(*) AS marked, count(*) FILTER (WHERE g.id IS NULL) AS vanished,
       ((extract(epoch FROM now()) * 1000)::bigint - min(d.insertion_ts)) / 1000 AS oldest_seconds,
       (SELECT count(*) FROM state_groups_persisting) AS persisting
FROM state_groups_pending_deletion d LEFT JOIN state_groups g ON g.id = d.state_group;
