-- purpose: rooms that a local user asked to join
-- locks: ACCESS SHARE on local_current_membership
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT l.room_id FROM local_current_membership l
WHERE (:'rooms'::text[] IS NULL OR l.room_id = ANY (:'rooms'::text[])) AND l.membership = 'knock';
