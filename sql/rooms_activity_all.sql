-- purpose: one pass over all events: size, newest event by received time, tombstone, encryption of rooms without a local member
-- locks: ACCESS SHARE on events, local_current_membership
-- `idle` is milliseconds since the newest received time, by the database's clock.
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT e.room_id, count(*) AS events, (extract(epoch FROM now()) * 1000)::bigint - max(e.received_ts) AS idle,
       coalesce(bool_or(e.type = 'm.room.tombstone' AND e.state_key = '' AND e.rejection_reason IS NULL), false) AS upgraded,
       coalesce(bool_or(e.type = 'm.room.encryption' AND e.state_key = '' AND e.rejection_reason IS NULL), false) AS encrypted
FROM events e
WHERE NOT EXISTS (SELECT 1 FROM local_current_membership l WHERE l.room_id = e.room_id AND l.membership = 'join')
GROUP BY e.room_id;
