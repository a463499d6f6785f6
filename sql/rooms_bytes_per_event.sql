-- purpose: what one event costs on disk on this server, with its rows in other tables, on average
-- locks: ACCESS SHARE on events and the tables beside it (sizes only)
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT CASE WHEN max(reltuples) FILTER (WHERE relname = 'events') > 0
            THEN (sum(pg_total_relation_size(oid)) / max(reltuples) FILTER (WHERE relname = 'events'))::bigint END AS bytes
FROM pg_class
WHERE oid IN (SELECT to_regclass(name) FROM unnest(ARRAY['events', 'event_json', 'event_edges', 'event_auth', 'event_search',
  'event_to_state_groups', 'event_relations', 'state_events', 'room_memberships', 'event_auth_chains']) AS name);
