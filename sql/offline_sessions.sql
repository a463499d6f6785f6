-- purpose: who else is connected to this database: Synapse, a bridge, a dump, a person; the bot's own sessions left out
-- locks: none
-- safe while Synapse runs: yes
-- schema: 84-94
-- Without rights on another role's sessions their kind is NULL; a worker of the server itself has no role.
SELECT coalesce(nullif(application_name, ''), 'an unnamed program') AS application, usename AS role,
       coalesce(host(client_addr), '') AS address, count(*) AS sessions
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
  AND coalesce(backend_type, 'client backend') IN ('client backend', 'walsender')
  AND application_name NOT LIKE 'synapse-steward %'
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
