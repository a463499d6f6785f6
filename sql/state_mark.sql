-- purpose: queues Synapse's own background update that marks unreferenced state groups for deletion
-- locks: ROW EXCLUSIVE on background_updates
-- safe while Synapse runs: yes; it begins when background updates are enabled through the API, or at Synapse's next start
-- schema: 90-94
-- role: writer
INSERT INTO background_updates (ordering, update_name, progress_json)
VALUES (9002, 'mark_unreferenced_state_groups_for_deletion_bg_update', '{}') ON CONFLICT DO NOTHING;
