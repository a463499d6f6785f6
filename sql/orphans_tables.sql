-- purpose: which of the given tables are there, how large the planner takes them to be, and whether the bot's role may delete from them
-- locks: none on the tables
-- safe while Synapse runs: yes
-- schema: 84-94
-- `rows` is NULL for a table that was never analysed.
SELECT given.name, CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS rows,
       has_table_privilege(c.oid, 'DELETE') AS can_delete
FROM unnest(:'tables'::text[]) WITH ORDINALITY AS given (name, place)
JOIN pg_class c ON c.oid = to_regclass(given.name)
ORDER BY given.place;
