-- purpose: whether a local user is in the room, invited or asking to be let in
-- locks: ACCESS SHARE on local_current_membership
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT EXISTS (SELECT 1 FROM local_current_membership
               WHERE room_id = :'room' AND membership IN ('join', 'invite', 'knock')) AS present;
