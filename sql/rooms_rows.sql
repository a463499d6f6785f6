-- purpose: what a room holds in the main tables, by index
-- locks: ACCESS SHARE on the tables named
-- safe while Synapse runs: yes
-- schema: 84-94
-- The aliases and the ids of expiring events come along: what a purge leaves of them is found only by these names.
WITH ids AS MATERIALIZED (SELECT event_id FROM events WHERE room_id = :'room'),
     groups AS MATERIALIZED (SELECT id FROM state_groups WHERE room_id = :'room')
SELECT (SELECT count(*) FROM ids) AS events,
       (SELECT count(*) FROM event_json j WHERE j.event_id IN (SELECT event_id FROM ids)) AS event_json,
       (SELECT count(*) FROM event_edges x WHERE x.event_id IN (SELECT event_id FROM ids)) AS event_edges,
       (SELECT count(*) FROM event_auth x WHERE x.event_id IN (SELECT event_id FROM ids)) AS event_auth,
       (SELECT count(*) FROM event_to_state_groups x WHERE x.event_id IN (SELECT event_id FROM ids)) AS event_to_state_groups,
       (SELECT count(*) FROM state_events x WHERE x.event_id IN (SELECT event_id FROM ids)) AS state_events,
       (SELECT count(*) FROM event_search x WHERE x.room_id = :'room') AS event_search,
       (SELECT count(*) FROM room_memberships x WHERE x.room_id = :'room') AS room_memberships,
       (SELECT count(*) FROM e2e_room_keys x WHERE x.room_id = :'room') AS e2e_room_keys,
       (SELECT count(*) FROM groups) AS state_groups,
       (SELECT count(*) FROM state_groups_state x WHERE x.state_group IN (SELECT id FROM groups)) AS state_groups_state,
       (SELECT array_agg(a.room_alias) FROM room_aliases a WHERE a.room_id = :'room') AS aliases,
       (SELECT array_agg(x.event_id) FROM event_expiry x WHERE x.event_id IN (SELECT event_id FROM ids)) AS expiring;
