-- purpose: one page of the people of a room, joined ones first, of these the ones of this server first
-- locks: ACCESS SHARE on current_state_events, room_memberships
-- safe while Synapse runs: yes; by index, the names only of the page
-- schema: 84-94
-- Without anybody the one row has a NULL user_id. Who left is not listed.
WITH people AS NOT MATERIALIZED (
  SELECT state_key AS user_id, membership, event_id, right(state_key, length(:'server'::text) + 1) = ':' || :'server'::text AS local
  FROM current_state_events
  WHERE room_id = :'room' AND type = 'm.room.member' AND membership <> 'leave'
), page AS (
  SELECT * FROM people
  ORDER BY membership <> 'join', NOT local, membership, user_id
  LIMIT :'limit'::bigint OFFSET :'offset'::bigint
)
SELECT t.total, t.joined, t.joined_local, t.invited, t.knocked, t.banned, p.user_id, p.membership, p.local, m.display_name
FROM (SELECT count(*) AS total, count(*) FILTER (WHERE membership = 'join') AS joined,
             count(*) FILTER (WHERE membership = 'join' AND local) AS joined_local, count(*) FILTER (WHERE membership = 'invite') AS invited,
             count(*) FILTER (WHERE membership = 'knock') AS knocked, count(*) FILTER (WHERE membership = 'ban') AS banned FROM people) AS t
LEFT JOIN page p ON true
LEFT JOIN room_memberships m ON m.event_id = p.event_id
ORDER BY p.membership <> 'join', NOT p.local, p.membership, p.user_id;
