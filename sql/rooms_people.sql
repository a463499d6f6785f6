-- purpose: of these rooms how many are in them as last known here, and whether two people at most ever were
-- locks: ACCESS SHARE on rooms, room_stats_state, room_stats_current, room_memberships
-- safe while Synapse runs: yes; by index, room by room
-- schema: 84-94
SELECT r.room_id, coalesce(c.joined_members, 0) AS members,
       NOT coalesce(r.is_public, false) AND s.name IS NULL AND s.canonical_alias IS NULL
       AND (SELECT count(*) FROM (SELECT DISTINCT m.user_id FROM room_memberships m WHERE m.room_id = r.room_id LIMIT 3) AS people) <= 2 AS direct
FROM rooms r
LEFT JOIN room_stats_state s USING (room_id)
LEFT JOIN room_stats_current c USING (room_id)
WHERE r.room_id = ANY (:'rooms'::text[]);
