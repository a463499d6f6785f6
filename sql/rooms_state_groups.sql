-- purpose: the newest state groups of a room
-- locks: ACCESS SHARE on state_groups
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT id FROM state_groups WHERE room_id = :'room' ORDER BY id DESC LIMIT :'limit'::bigint;
