-- purpose: redactions that Synapse has still to look at, whose event is here: its text is still in event_json
-- locks: ACCESS SHARE on redactions, events
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT count(*) AS waiting, count(*) FILTER (WHERE r.received_ts < n.ms - 604800000) AS overdue,
       max(r.received_ts) AS newest_ms, EXISTS (SELECT 1 FROM redactions WHERE have_censored) AS ever_censored
FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint AS ms) n, redactions r JOIN events e ON e.event_id = r.redacts
WHERE NOT r.have_censored AND (:'room' = '' OR e.room_id = :'room');
