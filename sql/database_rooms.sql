-- purpose: what the planner's statistics say that each room fills: its share of the rows of events and of states, times the size of those tables
-- locks: none beyond the catalogue's; ACCESS SHARE on room_stats_state
-- safe while Synapse runs: yes; reads statistics that ANALYZE left, no room's rows
-- schema: 84-94
WITH shares AS (
  SELECT s.tablename::text AS table_name, v.room_id, v.share
  FROM pg_stats AS s, unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS v (room_id, share)
  WHERE s.schemaname = 'public' AND s.attname = 'room_id' AND s.tablename IN ('events', 'state_groups_state')
), sizes AS (
  SELECT 'events' AS table_name, sum(pg_total_relation_size(c.oid)) AS bytes, max(c.reltuples) FILTER (WHERE c.relname = 'events') AS rows
  FROM pg_class AS c
  WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    AND c.relname IN ('events', 'event_json', 'event_edges', 'event_auth', 'event_to_state_groups', 'event_search', 'event_relations')
  UNION ALL
  SELECT 'state_groups_state', pg_total_relation_size(c.oid), c.reltuples
  FROM pg_class AS c
  WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname = 'state_groups_state'
), rooms AS (
  SELECT room_id, sum(share * bytes)::bigint AS bytes,
         sum(share * rows) FILTER (WHERE table_name = 'events')::bigint AS event_rows,
         sum(share * rows) FILTER (WHERE table_name = 'state_groups_state')::bigint AS state_rows
  FROM shares JOIN sizes USING (table_name)
  GROUP BY room_id
)
SELECT r.room_id, coalesce(nullif(n.name, ''), n.canonical_alias) AS name, r.bytes, r.event_rows, r.state_rows,
       count(*) OVER () AS all_count, pg_database_size(current_database()) AS database_bytes
FROM rooms AS r LEFT JOIN room_stats_state AS n USING (room_id)
ORDER BY r.bytes DESC, r.room_id
LIMIT :'limit'::bigint;
