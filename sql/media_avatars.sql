-- purpose: local media in use as a picture of a user, of a user in one room, or of a room
-- locks: ACCESS SHARE on profiles, room_memberships, user_directory, room_stats_state
-- safe while Synapse runs: yes; none of these columns has an index, so it reads the tables
-- schema: 84-94
SELECT DISTINCT substr(url, length('mxc://' || :'server' || '/') + 1) AS media_id
FROM (
  SELECT avatar_url AS url FROM profiles WHERE avatar_url IS NOT NULL
  UNION ALL SELECT avatar_url FROM room_memberships WHERE avatar_url IS NOT NULL
  UNION ALL SELECT avatar_url FROM user_directory WHERE avatar_url IS NOT NULL
  UNION ALL SELECT avatar FROM room_stats_state WHERE avatar IS NOT NULL) AS pictures
WHERE starts_with(url, 'mxc://' || :'server' || '/');
