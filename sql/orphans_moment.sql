-- purpose: what the search for orphans is frozen by: the time, and the newest state group that an event an hour old uses
-- locks: ACCESS SHARE on events, event_to_state_groups
-- safe while Synapse runs: yes
-- schema: 84-94
-- State groups are stored before the events that use them; one below `settled` was, an hour ago at least. 0 without such an event.
SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms,
       coalesce((SELECT max(g.state_group) FROM (
           SELECT e.event_id FROM events e WHERE e.received_ts < (extract(epoch FROM now()) * 1000)::bigint - 3600000 AND NOT e.outlier
           ORDER BY e.stream_ordering DESC LIMIT 100) o
         JOIN event_to_state_groups g ON g.event_id = o.event_id), 0) AS settled;
