-- purpose: rows of the users' server-side key backup that a purge takes with the room
-- locks: ACCESS SHARE on e2e_room_keys
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT k.room_id, count(*) AS keys, count(DISTINCT k.user_id) AS users
FROM e2e_room_keys k WHERE k.room_id = ANY (:'rooms'::text[]) GROUP BY k.room_id;
