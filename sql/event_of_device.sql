-- purpose: an event that a device of its sender sent itself; none for masquerading application services and impersonation tokens
-- locks: ACCESS SHARE on event_txn_id_device_id, events
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT e.event_id FROM event_txn_id_device_id t JOIN events e ON e.event_id = t.event_id
WHERE t.event_id = :'event' AND t.user_id = :'sender' AND e.sender = :'sender'
LIMIT 1;
