-- purpose: the size of everything for one card: database, media, people, rooms, servers that cannot be reached
-- locks: ACCESS SHARE on local_media_repository, remote_media_cache, users, rooms, destinations
-- safe while Synapse runs: yes; counts whole tables
-- schema: 84-94
SELECT pg_database_size(current_database()) AS database_bytes,
       l.files AS local_files, l.bytes AS local_bytes, r.files AS remote_files, r.bytes AS remote_bytes,
       u.people, u.deactivated, u.bridged,
       (SELECT count(*) FROM rooms) AS rooms,
       (SELECT count(DISTINCT room_id) FROM local_current_membership WHERE membership = 'join') AS living_rooms,
       d.servers, d.failing
FROM (SELECT count(*) AS files, coalesce(sum(media_length), 0)::bigint AS bytes FROM local_media_repository WHERE media_length IS NOT NULL) AS l,
     (SELECT count(*) AS files, coalesce(sum(media_length), 0)::bigint AS bytes FROM remote_media_cache) AS r,
     (SELECT count(*) FILTER (WHERE deactivated = 0 AND appservice_id IS NULL AND is_guest = 0) AS people,
             count(*) FILTER (WHERE deactivated <> 0) AS deactivated,
             count(*) FILTER (WHERE deactivated = 0 AND appservice_id IS NOT NULL) AS bridged FROM users) AS u,
     (SELECT count(*) AS servers, count(*) FILTER (WHERE failure_ts IS NOT NULL) AS failing FROM destinations) AS d;
