-- purpose: rows of a deleted room that Synapse's purge leaves behind, at most 5000 of each table; counts of what went
-- locks: ROW EXCLUSIVE on room_retention, event_labels, event_search, threads, room_alias_servers, event_expiry
-- safe while Synapse runs: yes; all of them are written in the transaction of their event, so that an event not yet visible hides its rows too
-- schema: 84-94
-- prepared: yes
-- role: writer
-- Orphans of room_retention and event_labels make the room impossible to join or to fill again (HTTP 500).
-- Never here: blocked_rooms, event_reports, room_reports, room_ban_redactions and Synapse's streams.
WITH retention AS (
  DELETE FROM room_retention x
  WHERE x.ctid = ANY (ARRAY(SELECT l.ctid FROM room_retention l WHERE l.room_id = :'room'
                            AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = l.event_id) LIMIT 5000))
    AND x.room_id = :'room' AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = x.event_id)
  RETURNING 1),
labels AS (
  DELETE FROM event_labels x
  WHERE x.ctid = ANY (ARRAY(SELECT l.ctid FROM event_labels l WHERE l.room_id = :'room'
                            AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = l.event_id) LIMIT 5000))
    AND x.room_id = :'room' AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = x.event_id)
  RETURNING 1),
search AS (
  DELETE FROM event_search x
  WHERE x.ctid = ANY (ARRAY(SELECT l.ctid FROM event_search l WHERE l.room_id = :'room'
                            AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = l.event_id) LIMIT 5000))
    AND x.room_id = :'room' AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = x.event_id)
  RETURNING 1),
thread_rows AS (
  DELETE FROM threads x
  WHERE x.ctid = ANY (ARRAY(SELECT l.ctid FROM threads l WHERE l.room_id = :'room' LIMIT 5000))
    AND x.room_id = :'room' AND NOT EXISTS (SELECT 1 FROM rooms r WHERE r.room_id = x.room_id)
  RETURNING 1),
alias_servers AS (
  DELETE FROM room_alias_servers x
  WHERE x.room_alias = ANY (:'aliases'::text[]) AND NOT EXISTS (SELECT 1 FROM room_aliases a WHERE a.room_alias = x.room_alias)
  RETURNING 1),
expiry AS (
  DELETE FROM event_expiry x
  WHERE x.event_id = ANY (:'expiring'::text[]) AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = x.event_id)
  RETURNING 1)
SELECT (SELECT count(*) FROM retention) AS room_retention, (SELECT count(*) FROM labels) AS event_labels,
       (SELECT count(*) FROM search) AS event_search, (SELECT count(*) FROM thread_rows) AS threads,
       (SELECT count(*) FROM alias_servers) AS room_alias_servers, (SELECT count(*) FROM expiry) AS event_expiry;
