-- purpose: rooms by the size of their current state
-- locks: ACCESS SHARE on room_stats_current, room_stats_state
-- safe while Synapse runs: yes; small tables
-- schema: 84-94
SELECT c.room_id AS name, s.name AS room, c.current_state_events AS state_events, c.joined_members AS members, c.local_users_in_room AS local_members
FROM room_stats_current AS c LEFT JOIN room_stats_state AS s USING (room_id)
ORDER BY 3 DESC, 1
LIMIT :'limit'::bigint;
