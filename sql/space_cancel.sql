-- purpose: ends one statement of a server process, and only that one: not what the process runs after it
-- locks: none on user tables
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT pg_cancel_backend(pid) AS cancelled
FROM pg_stat_activity WHERE pid = :'pid'::integer AND state = 'active' AND query = :'statement'::text;
