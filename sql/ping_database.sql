-- purpose: the shortest round trip to the database there is
-- locks: none
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT 1 AS pong;
