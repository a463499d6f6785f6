-- purpose: the same for some rooms, by index: size counted up to 100 000, newest of both ends of the stream
-- locks: ACCESS SHARE on events
-- `idle` is milliseconds since the newest received time, by the database's clock.
-- safe while Synapse runs: yes
-- schema: 84-94
-- prepared: yes
-- Backfilled events have negative places, so that the newest one received may stand at either end.
-- The ends are found in the index first: planned for a room of common size, a sort would read all of a large room.
SELECT r.room_id, n.events, (extract(epoch FROM now()) * 1000)::bigint - greatest(late.newest, early.newest) AS idle,
       coalesce(late.upgraded, false) OR coalesce(first.upgraded, false) AS upgraded,
       coalesce(late.encrypted, false) OR coalesce(first.encrypted, false) AS encrypted
FROM unnest(:'rooms'::text[]) AS r (room_id)
CROSS JOIN LATERAL (SELECT count(*) AS events FROM (SELECT 1 FROM events e WHERE e.room_id = r.room_id LIMIT 100000) AS counted) AS n
CROSS JOIN LATERAL (
  SELECT max(received_ts) AS newest, bool_or(type = 'm.room.tombstone' AND state_key = '' AND rejection_reason IS NULL) AS upgraded,
         bool_or(type = 'm.room.encryption' AND state_key = '' AND rejection_reason IS NULL) AS encrypted
  FROM events e
  WHERE e.room_id = r.room_id
    AND e.stream_ordering >= coalesce((SELECT f.stream_ordering FROM events f WHERE f.room_id = r.room_id
                                       ORDER BY f.stream_ordering DESC OFFSET 1999 LIMIT 1), '-9223372036854775808'::bigint)) AS late
CROSS JOIN LATERAL (
  SELECT max(received_ts) AS newest
  FROM events e
  WHERE e.room_id = r.room_id
    AND e.stream_ordering <= coalesce((SELECT f.stream_ordering FROM events f WHERE f.room_id = r.room_id
                                       ORDER BY f.stream_ordering OFFSET 49 LIMIT 1), '9223372036854775807'::bigint)) AS early
CROSS JOIN LATERAL (
  SELECT bool_or(type = 'm.room.tombstone' AND state_key = '' AND rejection_reason IS NULL) AS upgraded,
         bool_or(type = 'm.room.encryption' AND state_key = '' AND rejection_reason IS NULL) AS encrypted
  FROM (SELECT e.type, e.state_key, e.rejection_reason FROM events e WHERE e.room_id = r.room_id
        ORDER BY e.topological_ordering, e.stream_ordering LIMIT 200) AS first_events) AS first;
