-- purpose: whether one server process holds the bot's writer lock (bot/db/guard.cpp takes it)
-- locks: none on user tables
-- safe while Synapse runs: yes
-- schema: any
-- Asked from another session, because a session in the middle of a long statement cannot be asked itself.
SELECT EXISTS (
  SELECT 1 FROM pg_locks
  WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND pid = :'pid'::integer
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::bigint = (hashtext('synapse-steward')::bigint & 4294967295)
    AND objid::bigint = (hashtext('writer')::bigint & 4294967295)) AS held;
