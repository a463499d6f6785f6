-- purpose: rooms that a local user left or was banned from and has not forgotten: still in that user's history
-- locks: ACCESS SHARE on local_current_membership, room_memberships
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT l.room_id
FROM local_current_membership l JOIN room_memberships m ON m.event_id = l.event_id AND m.room_id = l.room_id
WHERE (:'rooms'::text[] IS NULL OR l.room_id = ANY (:'rooms'::text[]))
  AND l.membership IN ('leave', 'ban') AND coalesce(m.forgotten, 0) = 0;
