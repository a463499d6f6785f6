-- purpose: what Synapse still has to rebuild after an upgrade
-- locks: ACCESS SHARE on background_updates
-- safe while Synapse runs: yes; small tables
-- schema: 84-94
SELECT update_name AS name, ordering, depends_on AS after
FROM background_updates
ORDER BY ordering, 1
LIMIT :'limit'::bigint;
