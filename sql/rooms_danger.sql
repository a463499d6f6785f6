-- purpose: signs of damage that must not grow while rooms are deleted; the large tables by their newest rows only
-- locks: ACCESS SHARE on event_forward_extremities, events, event_json, event_to_state_groups, state_groups, state_group_edges
-- safe while Synapse runs: yes
-- schema: 84-94
WITH recent AS MATERIALIZED (SELECT event_id, outlier, rejection_reason FROM events ORDER BY stream_ordering DESC LIMIT 5000),
     edges AS MATERIALIZED (SELECT state_group, prev_state_group FROM state_group_edges ORDER BY state_group DESC LIMIT 5000)
SELECT (SELECT count(*) FROM event_forward_extremities x WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = x.event_id))
         AS extremities_without_event,
       (SELECT count(*) FROM recent e WHERE NOT EXISTS (SELECT 1 FROM event_json j WHERE j.event_id = e.event_id)) AS events_without_json,
       (SELECT count(*) FROM recent e JOIN event_to_state_groups g USING (event_id)
        WHERE NOT EXISTS (SELECT 1 FROM state_groups s WHERE s.id = g.state_group)) AS events_without_state_group,
       (SELECT count(*) FROM recent e WHERE NOT e.outlier AND e.rejection_reason IS NULL
          AND NOT EXISTS (SELECT 1 FROM event_to_state_groups g WHERE g.event_id = e.event_id)) AS events_without_state,
       (SELECT count(*) FROM edges x WHERE NOT EXISTS (SELECT 1 FROM state_groups s WHERE s.id = x.prev_state_group)) AS dangling_edges,
       (SELECT count(*) FROM edges x WHERE x.prev_state_group >= x.state_group) AS backward_edges,
       (SELECT count(*) FROM pg_index WHERE NOT indisvalid) AS invalid_indexes;
