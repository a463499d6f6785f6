-- purpose: of the next 20 000 state groups downwards those that no event uses and no write is about to, with the groups built on them
-- locks: ACCESS SHARE on state_groups, state_group_edges, event_to_state_groups and the two tables of Synapse's deletion
-- safe while Synapse runs: yes
-- schema: 89-94
-- The first column is where the page ends (NULL: there was none), also when nothing was found.
WITH page AS MATERIALIZED (SELECT id FROM state_groups WHERE id < :'before'::bigint ORDER BY id DESC LIMIT 20000)
SELECT (SELECT min(id) FROM page) AS last, (SELECT count(*) FROM page) AS seen, f.id, f.built_on, f.marked
FROM (SELECT 1) one LEFT JOIN (
  SELECT p.id, (SELECT array_agg(e.state_group::text) FROM state_group_edges e WHERE e.prev_state_group = p.id) AS built_on,
         EXISTS (SELECT 1 FROM state_groups_pending_deletion d WHERE d.state_group = p.id) AS marked
  FROM page p
  WHERE NOT EXISTS (SELECT 1 FROM event_to_state_groups u WHERE u.state_group = p.id)
    AND NOT EXISTS (SELECT 1 FROM state_groups_persisting w WHERE w.state_group = p.id)
  OFFSET 0) f ON true
ORDER BY f.id DESC;
