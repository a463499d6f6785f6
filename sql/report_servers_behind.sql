-- purpose: servers by the number of rooms whose newest events they have not got
-- locks: ACCESS SHARE on destination_rooms, destinations
-- safe while Synapse runs: yes; reads the whole table, so at a quiet hour
-- schema: 84-94
SELECT r.destination AS name, count(*) AS rooms
FROM destination_rooms AS r JOIN destinations AS d USING (destination)
WHERE r.stream_ordering > coalesce(d.last_successful_stream_ordering, 0)
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT :'limit'::bigint;
