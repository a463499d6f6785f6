-- purpose: rooms with many state groups, the most first
-- locks: ACCESS SHARE on state_groups
-- safe while Synapse runs: yes
-- schema: 89-94
SELECT room_id, count(*) AS groups FROM state_groups GROUP BY room_id HAVING count(*) > 100 ORDER BY 2 DESC, 1 LIMIT :'limit'::bigint;
