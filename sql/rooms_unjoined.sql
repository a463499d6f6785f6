-- purpose: rooms without a local member, by Synapse's own list of local memberships
-- locks: ACCESS SHARE on rooms, local_current_membership
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT r.room_id, coalesce(r.room_version, '') AS version
FROM rooms r
WHERE (:'rooms'::text[] IS NULL OR r.room_id = ANY (:'rooms'::text[]))
  AND NOT EXISTS (SELECT 1 FROM local_current_membership l WHERE l.room_id = r.room_id AND l.membership = 'join');
