-- purpose: one room, if a known space lists it or any event since then added it to a space
-- locks: ACCESS SHARE on current_state_events, events
-- safe while Synapse runs: yes
-- schema: 84-94
-- No index leads with the state key: without the spaces' names this would read the whole table for every room.
SELECT c.state_key AS room_id FROM current_state_events c
WHERE c.room_id = ANY (:'spaces'::text[]) AND c.type = 'm.space.child' AND c.state_key = :'room'
UNION ALL
SELECT e.state_key FROM events e
WHERE e.stream_ordering > :'since'::bigint AND e.type = 'm.space.child' AND e.state_key = :'room'
LIMIT 1;
