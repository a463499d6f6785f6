-- purpose: the first of the room's newest 100 state groups, which are left alone: Synapse builds on them right now
-- locks: ACCESS SHARE on state_groups
-- safe while Synapse runs: yes
-- schema: 89-94
SELECT min(id) AS id FROM (SELECT id FROM state_groups WHERE room_id = :'room' ORDER BY id DESC LIMIT 100) newest;
