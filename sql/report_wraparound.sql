-- purpose: tables by the age of their oldest row version; at two thousand million PostgreSQL stops writing
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes
-- schema: any
SELECT c.oid::regclass::text AS name, age(c.relfrozenxid)::bigint AS transactions, round(100.0 * age(c.relfrozenxid) / 2000000000, 2) AS percent
FROM pg_class AS c
WHERE c.relkind IN ('r', 't', 'm')
ORDER BY 2 DESC, 1
LIMIT :'limit'::bigint;
