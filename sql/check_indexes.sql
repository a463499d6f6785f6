-- purpose: indexes that are invalid, unused, or missing although Synapse's own schema has had them since its oldest supported version
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes; reads the catalogue and the statistics
-- schema: 84-94
WITH needed (table_name, column_name) AS (VALUES
  ('events', 'event_id'), ('events', 'stream_ordering'), ('events', 'room_id'), ('event_json', 'event_id'),
  ('event_edges', 'event_id'), ('event_edges', 'prev_event_id'), ('event_auth', 'event_id'), ('event_to_state_groups', 'event_id'),
  ('event_to_state_groups', 'state_group'), ('event_forward_extremities', 'event_id'), ('event_push_actions', 'user_id'),
  ('event_relations', 'event_id'), ('event_relations', 'relates_to_id'), ('event_search', 'event_id'),
  ('state_groups', 'id'), ('state_groups', 'room_id'), ('state_group_edges', 'state_group'), ('state_group_edges', 'prev_state_group'),
  ('state_groups_state', 'state_group'), ('rooms', 'room_id'), ('room_memberships', 'event_id'), ('room_memberships', 'room_id'),
  ('local_current_membership', 'user_id'), ('current_state_events', 'event_id'), ('current_state_events', 'room_id'),
  ('receipts_linearized', 'stream_id'), ('devices', 'user_id'), ('device_inbox', 'user_id'), ('device_lists_stream', 'stream_id'),
  ('local_media_repository', 'media_id'), ('remote_media_cache', 'media_origin'), ('users', 'name'), ('access_tokens', 'id'),
  ('user_ips', 'user_id'), ('redactions', 'event_id'), ('redactions', 'redacts'))
SELECT (SELECT coalesce(array_agg(i.indexrelid::regclass::text ORDER BY 1), '{}') FROM pg_index AS i
        WHERE NOT i.indisvalid OR NOT i.indisready) AS invalid,
       (SELECT coalesce(array_agg(n.table_name || '(' || n.column_name || ')' ORDER BY 1), '{}') FROM needed AS n
        WHERE to_regclass(n.table_name) IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
          WHERE i.indrelid = to_regclass(n.table_name) AND i.indisvalid AND i.indpred IS NULL AND a.attname = n.column_name)) AS missing,
       (SELECT count(*) FROM needed AS n WHERE to_regclass(n.table_name) IS NOT NULL) AS needed_count,
       u.unused, u.unused_bytes, (SELECT (extract(epoch FROM stats_reset) * 1000)::bigint FROM pg_stat_database WHERE datname = current_database()) AS since_ms
FROM (SELECT count(*) AS unused, coalesce(sum(pg_relation_size(s.indexrelid)), 0)::bigint AS unused_bytes
      FROM pg_stat_user_indexes AS s JOIN pg_index AS i USING (indexrelid)
      WHERE s.schemaname = 'public' AND s.idx_scan = 0 AND NOT i.indisunique
        AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conindid = s.indexrelid)) AS u;
