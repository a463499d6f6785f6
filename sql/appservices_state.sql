-- purpose: application services that Synapse ever pushed to: their state, what waits for them, how far the pusher is behind
-- locks: ACCESS SHARE on application_services_state, application_services_txns, appservice_stream_position, events
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT n.as_id AS id, coalesce(s.state, 'up') AS state, coalesce(t.queued, 0) AS queued,
       greatest(0, (SELECT max(stream_ordering) FROM events) - coalesce((SELECT max(stream_ordering) FROM appservice_stream_position), 0)) AS behind
FROM (SELECT as_id FROM application_services_state UNION SELECT as_id FROM application_services_txns) AS n
LEFT JOIN application_services_state s USING (as_id)
LEFT JOIN (SELECT as_id, count(*) AS queued FROM application_services_txns GROUP BY 1) AS t USING (as_id)
ORDER BY coalesce(t.queued, 0) DESC, 1;
