-- purpose: whose picture a file is: of users everywhere, of users in single rooms, of rooms
-- locks: ACCESS SHARE on profiles, user_directory, room_memberships, current_state_events, room_stats_state
-- safe while Synapse runs: yes; none of the picture columns has an index, so it reads the tables
-- schema: 84-94
SELECT kind, name, count(*) OVER (PARTITION BY kind) AS of_kind
FROM (SELECT 'user' AS kind, '@' || p.user_id || ':' || :'server' AS name FROM profiles p WHERE p.avatar_url = :'mxc'
      UNION SELECT 'user', d.user_id FROM user_directory d WHERE d.avatar_url = :'mxc'
      UNION SELECT 'member', m.user_id FROM room_memberships m JOIN current_state_events c USING (event_id) WHERE m.avatar_url = :'mxc'
      UNION SELECT 'room', s.room_id FROM room_stats_state s WHERE s.avatar = :'mxc') AS used
ORDER BY kind DESC, name
LIMIT :'limit'::bigint;
