-- purpose: sequences that stand behind the rows they number (Synapse then does not start), and how near the fullest is to its end
-- locks: ACCESS SHARE on events, state_groups, event_auth_chains, application_services_txns
-- safe while Synapse runs: yes; the newest number of each table by its index
-- schema: 84-94
WITH numbered (sequence_name, newest) AS (
  SELECT 'events_stream_seq', (SELECT max(stream_ordering) FROM events)
  UNION ALL SELECT 'state_group_id_seq', (SELECT max(id) FROM state_groups)
  UNION ALL SELECT 'event_auth_chain_id', (SELECT max(chain_id) FROM event_auth_chains)
  UNION ALL SELECT 'application_services_txn_id_seq', (SELECT max(txn_id)::bigint FROM application_services_txns)
)
SELECT (SELECT coalesce(array_agg(format('%s is at %s, the newest row at %s', n.sequence_name, coalesce(s.last_value, 0), n.newest) ORDER BY 1), '{}')
        FROM numbered AS n JOIN pg_sequences AS s ON s.schemaname = 'public' AND s.sequencename = n.sequence_name
        WHERE n.newest > coalesce(s.last_value, 0) AND has_sequence_privilege(format('public.%I', n.sequence_name), 'SELECT')) AS behind,
       (SELECT count(*) FROM numbered AS n JOIN pg_sequences AS s ON s.schemaname = 'public' AND s.sequencename = n.sequence_name
        WHERE has_sequence_privilege(format('public.%I', n.sequence_name), 'SELECT')) AS looked_at,
       fullest.sequencename AS fullest, fullest.percent AS fullest_percent
FROM (SELECT 1) AS one
LEFT JOIN LATERAL (SELECT sequencename, round((100.0 * last_value / max_value)::numeric, 2)::float8 AS percent FROM pg_sequences
                   WHERE schemaname = 'public' AND last_value IS NOT NULL AND NOT cycle
                   ORDER BY last_value::float8 / max_value DESC, sequencename LIMIT 1) AS fullest ON true;
