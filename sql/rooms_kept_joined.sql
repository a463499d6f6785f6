-- purpose: second opinion: rooms whose current state names a joined user of this server
-- locks: ACCESS SHARE on rooms, local_current_membership, current_state_events
-- safe while Synapse runs: yes
-- schema: 84-94
-- Room by room, because the state of rooms that all local users left is empty, and reading everybody else's is long.
-- :'suffix' is ':' and the server's name, compared as a suffix: nothing is guessed from an id.
WITH unjoined AS MATERIALIZED (
  SELECT r.room_id FROM rooms r
  WHERE (:'rooms'::text[] IS NULL OR r.room_id = ANY (:'rooms'::text[]))
    AND NOT EXISTS (SELECT 1 FROM local_current_membership l WHERE l.room_id = r.room_id AND l.membership = 'join'))
SELECT u.room_id
FROM unjoined u
CROSS JOIN LATERAL (
  SELECT 1 FROM current_state_events c
  WHERE c.room_id = u.room_id AND c.type = 'm.room.member' AND c.membership = 'join'
    AND right(c.state_key, length(:'suffix'::text)) = :'suffix'::text
  LIMIT 1) AS member;
