-- purpose: what has become of state groups that were to be deleted: how many are there, used again, marked, not marked; when Synapse may delete
-- locks: ACCESS SHARE on the tables of state groups
-- safe while Synapse runs: yes
-- schema: 89-94
SELECT count(*) AS present, count(*) FILTER (WHERE g.used) AS used, count(*) FILTER (WHERE g.marked_at IS NULL AND NOT g.used) AS unmarked,
       count(*) FILTER (WHERE g.marked_at IS NOT NULL AND NOT g.used) AS waiting,
       min(g.marked_at) + 600000 - (extract(epoch FROM now()) * 1000)::bigint AS due_in_ms,
       (SELECT count(*) FROM state_groups_state s WHERE s.state_group = ANY (array_agg(g.id))) AS rows_left,
       (SELECT count(*) FROM state_groups_pending_deletion) AS queue
FROM (SELECT s.id, d.insertion_ts AS marked_at, EXISTS (SELECT 1 FROM event_to_state_groups u WHERE u.state_group = s.id) AS used
      FROM state_groups s LEFT JOIN state_groups_pending_deletion d ON d.state_group = s.id
      WHERE s.id = ANY (:'groups'::bigint[])) g;
