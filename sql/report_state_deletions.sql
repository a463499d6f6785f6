-- purpose: state groups that Synapse has marked for deletion, and those in use by a write
-- locks: ACCESS SHARE on state_groups_pending_deletion, state_groups_persisting
-- safe while Synapse runs: yes; small tables
-- schema: 89-94
SELECT 'marked for deletion' AS name, count(*) AS state_groups, min(insertion_ts) AS oldest_ms FROM state_groups_pending_deletion
UNION ALL
SELECT 'being written', count(*), NULL FROM state_groups_persisting
ORDER BY 1 DESC;
