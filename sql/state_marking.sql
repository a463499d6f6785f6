-- purpose: whether Synapse's marking of state groups is still queued, how far it is, what it has marked
-- locks: ACCESS SHARE on background_updates, state_groups_pending_deletion, state_groups
-- safe while Synapse runs: yes
-- schema: 90-94
SELECT EXISTS (SELECT 1 FROM background_updates WHERE update_name = 'mark_unreferenced_state_groups_for_deletion_bg_update') AS queued,
       coalesce((SELECT progress_json FROM background_updates WHERE update_name = 'mark_unreferenced_state_groups_for_deletion_bg_update'), '') AS progress,
       coalesce((SELECT max(sequence_number) FROM state_groups_pending_deletion), 0) AS newest_mark,
       (SELECT count(*) FROM state_groups_pending_deletion d JOIN state_groups g ON g.id = d.state_group) AS marked;
