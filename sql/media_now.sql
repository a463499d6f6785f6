-- purpose: the database's clock in milliseconds; every cut-off is counted from it, never from the bot's host
-- locks: none
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms;
