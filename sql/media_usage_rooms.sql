-- purpose: unencrypted rooms with local members, the most active first: those whose media Synapse can be asked for
-- locks: ACCESS SHARE on room_stats_current, room_stats_state
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT c.room_id, coalesce(s.name, s.canonical_alias, '') AS name
FROM room_stats_current c
LEFT JOIN room_stats_state s USING (room_id)
WHERE s.encryption IS NULL AND c.local_users_in_room > 0
ORDER BY c.joined_members DESC, c.room_id
LIMIT :'limit'::bigint;
