-- purpose: what a room holds in the main tables, by index
-- locks: ACCESS SHARE on the tables named
-- safe while Synapse runs: yes
-- schema: 84-94
-- prepared: yes
-- OFFSET 0 keeps the planner to one look into the index per event: left free it reads all of the tables for the events of one room.
-- The aliases and the ids of expiring events come along: what a purge leaves of them is found only by these names.
WITH ids AS MATERIALIZED (SELECT event_id FROM events WHERE room_id = :'room'),
     groups AS MATERIALIZED (SELECT id FROM state_groups WHERE room_id = :'room')
SELECT (SELECT count(*) FROM ids) AS events,
       (SELECT count(*) FROM ids, LATERAL (SELECT 1 FROM event_json x WHERE x.event_id = ids.event_id OFFSET 0) AS found) AS event_json,
       (SELECT count(*) FROM ids, LATERAL (SELECT 1 FROM event_edges x WHERE x.event_id = ids.event_id OFFSET 0) AS found) AS event_edges,
       (SELECT count(*) FROM ids, LATERAL (SELECT 1 FROM event_auth x WHERE x.event_id = ids.event_id OFFSET 0) AS found) AS event_auth,
       (SELECT count(*) FROM ids, LATERAL (SELECT 1 FROM event_to_state_groups x WHERE x.event_id = ids.event_id OFFSET 0) AS found) AS event_to_state_groups,
       (SELECT count(*) FROM ids, LATERAL (SELECT 1 FROM state_events x WHERE x.event_id = ids.event_id OFFSET 0) AS found) AS state_events,
       (SELECT count(*) FROM event_search x WHERE x.room_id = :'room') AS event_search,
       (SELECT count(*) FROM room_memberships x WHERE x.room_id = :'room') AS room_memberships,
       (SELECT count(*) FROM e2e_room_keys x WHERE x.room_id = :'room') AS e2e_room_keys,
       (SELECT count(*) FROM groups) AS state_groups,
       (SELECT count(*) FROM groups, LATERAL (SELECT 1 FROM state_groups_state x WHERE x.state_group = groups.id OFFSET 0) AS found) AS state_groups_state,
       (SELECT array_agg(a.room_alias) FROM room_aliases a WHERE a.room_id = :'room') AS aliases,
       (SELECT array_agg(ids.event_id) FROM ids, LATERAL (SELECT 1 FROM event_expiry x WHERE x.event_id = ids.event_id OFFSET 0) AS found) AS expiring;
