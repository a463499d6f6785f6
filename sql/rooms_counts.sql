-- purpose: all rooms, local joins by two independent tables, how many events the planner expects
-- locks: ACCESS SHARE on rooms, local_current_membership, room_stats_current
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT (SELECT count(*) FROM rooms) AS rooms,
       (SELECT count(*) FROM local_current_membership WHERE membership = 'join') AS joins,
       (SELECT coalesce(sum(local_users_in_room), 0) FROM room_stats_current)::bigint AS joins_by_stats,
       (SELECT CASE WHEN reltuples < 0 THEN NULL ELSE reltuples::bigint END FROM pg_class WHERE oid = 'events'::regclass) AS events;
