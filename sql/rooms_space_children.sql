-- purpose: rooms that a space lists, with the space
-- locks: ACCESS SHARE on current_state_events
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT state_key AS room_id, room_id AS space FROM current_state_events WHERE type = 'm.space.child';
