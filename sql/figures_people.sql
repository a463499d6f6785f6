-- purpose: people seen and people new in a window, the newest event's position, reported events: what a report compares
-- locks: ACCESS SHARE on user_ips, users, events, event_reports
-- safe while Synapse runs: yes; users whole, the others by index
-- schema: 84-94
-- users.creation_ts is in seconds, user_ips.last_seen in milliseconds.
SELECT (SELECT count(DISTINCT user_id) FROM user_ips
        WHERE last_seen > (extract(epoch FROM now()) * 1000)::bigint - :'seconds'::bigint * 1000) AS active,
       (SELECT count(*) FROM users WHERE creation_ts > extract(epoch FROM now())::bigint - :'seconds'::bigint
        AND deactivated = 0 AND appservice_id IS NULL AND is_guest = 0) AS new_people,
       (SELECT coalesce(max(stream_ordering), 0) FROM events) AS events_position,
       (SELECT count(*) FROM event_reports) AS reported_events;
