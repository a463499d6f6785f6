-- purpose: the rooms of the server with what people ask of them
-- locks: ACCESS SHARE on rooms and the tables beside it
-- The page is chosen with no more than filter and order need; the rest is looked up for its rooms.
-- The size is estimated: events at this server's average, state rows by PostgreSQL's statistics of the commonest rooms.
-- The order by activity goes by the place in the stream of events, which an index has.
-- safe while Synapse runs: yes
-- schema: 84-94
WITH cost AS MATERIALIZED (
  SELECT (SELECT sum(pg_total_relation_size(oid)) FROM pg_class
          WHERE oid IN (SELECT to_regclass(name) FROM unnest(ARRAY['events', 'event_json', 'event_edges', 'event_auth', 'event_search',
            'event_to_state_groups', 'event_relations', 'state_events', 'room_memberships', 'event_auth_chains']) AS name))
           / nullif(greatest((SELECT reltuples FROM pg_class WHERE oid = 'events'::regclass), 0), 0) AS event,
         pg_total_relation_size('state_groups_state')
           / nullif(greatest((SELECT reltuples FROM pg_class WHERE oid = 'state_groups_state'::regclass), 0), 0) AS state_row
  WHERE :'with_size'::boolean),
state_rows AS MATERIALIZED (
  SELECT v.room_id, v.freq * c.reltuples AS rows
  FROM pg_class c, pg_stats s, unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS v (room_id, freq)
  WHERE :'with_size'::boolean AND c.oid = 'state_groups_state'::regclass AND s.schemaname = c.relnamespace::regnamespace::text
    AND s.tablename = 'state_groups_state' AND s.attname = 'room_id'),
chosen AS MATERIALIZED (
  SELECT count(*) OVER () AS total, r.room_id, coalesce(s.name, '') AS name, s.canonical_alias, coalesce(r.is_public, false) AS public,
         s.encryption IS NOT NULL AS encrypted, coalesce(c.joined_members, 0) AS members, coalesce(c.current_state_events, 0) AS state_events, n.events,
         CASE WHEN :'with_size'::boolean THEN (coalesce(n.events, 0) * coalesce(cost.event, 0) + coalesce(w.rows, 0) * coalesce(cost.state_row, 0))::bigint END AS bytes,
         CASE :'sort'::text WHEN 'members' THEN coalesce(c.joined_members, 0) WHEN 'state' THEN coalesce(c.current_state_events, 0)
           WHEN 'events' THEN coalesce(n.events, 0)
           WHEN 'size' THEN (coalesce(n.events, 0) * coalesce(cost.event, 0) + coalesce(w.rows, 0) * coalesce(cost.state_row, 0))::bigint
           WHEN 'activity' THEN coalesce(p.newest, '-9223372036854775808'::bigint) WHEN 'extremities' THEN coalesce(x.extremities, 0) ELSE 0 END AS place,
         lower(coalesce(s.name, s.canonical_alias, r.room_id)) AS words
  FROM rooms r
  LEFT JOIN cost ON true
  LEFT JOIN room_stats_state s USING (room_id)
  LEFT JOIN room_stats_current c USING (room_id)
  LEFT JOIN (SELECT room_id, count(*) AS joined FROM local_current_membership
             WHERE (:'empty'::boolean OR :'direct'::boolean) AND membership = 'join' GROUP BY 1) AS l USING (room_id)
  LEFT JOIN (SELECT room_id, count(*) AS extremities FROM event_forward_extremities WHERE :'sort'::text = 'extremities' GROUP BY 1) AS x USING (room_id)
  LEFT JOIN (SELECT e.room_id, count(*) AS events FROM events e WHERE :'with_events'::boolean GROUP BY 1) AS n USING (room_id)
  LEFT JOIN (SELECT e.room_id, max(e.stream_ordering) AS newest FROM events e WHERE :'sort'::text = 'activity' GROUP BY 1) AS p USING (room_id)
  LEFT JOIN LATERAL (SELECT e.received_ts AS newest FROM events e WHERE e.room_id = r.room_id ORDER BY e.stream_ordering DESC LIMIT 1)
    AS last ON :'older'::bigint IS NOT NULL
  LEFT JOIN state_rows w USING (room_id)
  WHERE (:'text'::text = '' OR r.room_id = :'text'::text OR position(lower(:'text'::text) IN lower(s.name)) > 0
         OR position(lower(:'text'::text) IN lower(s.canonical_alias)) > 0
         OR EXISTS (SELECT 1 FROM room_aliases y WHERE y.room_id = r.room_id AND position(lower(:'text'::text) IN lower(y.room_alias)) > 0))
    AND (NOT :'empty'::boolean OR l.joined IS NULL)
    AND (NOT :'blocked'::boolean OR EXISTS (SELECT 1 FROM blocked_rooms b WHERE b.room_id = r.room_id))
    AND (NOT :'public'::boolean OR r.is_public)
    AND (NOT :'encrypted'::boolean OR s.encryption IS NOT NULL)
    AND (NOT :'direct'::boolean OR (NOT coalesce(r.is_public, false) AND s.name IS NULL AND s.canonical_alias IS NULL AND l.joined IS NOT NULL
         AND coalesce(c.joined_members, 0) + coalesce(c.invited_members, 0) BETWEEN 1 AND 2))
    AND (:'older'::bigint IS NULL OR last.newest < (extract(epoch FROM now()) * 1000)::bigint - :'older'::bigint * 1000)
  ORDER BY place DESC, words, room_id
  LIMIT :'limit'::bigint OFFSET :'offset'::bigint)
SELECT k.total, k.room_id, k.name, coalesce(k.canonical_alias, a.room_alias, '') AS alias, k.public, k.encrypted, k.members,
       coalesce(l.joined, 0) AS local_members, k.state_events, b.room_id IS NOT NULL AS blocked, coalesce(x.extremities, 0) AS extremities, k.events, k.bytes,
       CASE WHEN last.newest IS NOT NULL THEN (extract(epoch FROM now()))::bigint - last.newest / 1000 END AS idle_seconds
FROM chosen k
LEFT JOIN blocked_rooms b USING (room_id)
LEFT JOIN (SELECT room_id, count(*) AS joined FROM local_current_membership
           WHERE membership = 'join' AND room_id IN (SELECT room_id FROM chosen) GROUP BY 1) AS l USING (room_id)
LEFT JOIN (SELECT room_id, min(room_alias) AS room_alias FROM room_aliases WHERE room_id IN (SELECT room_id FROM chosen) GROUP BY 1) AS a USING (room_id)
LEFT JOIN (SELECT room_id, count(*) AS extremities FROM event_forward_extremities WHERE room_id IN (SELECT room_id FROM chosen) GROUP BY 1) AS x USING (room_id)
LEFT JOIN LATERAL (SELECT e.received_ts AS newest FROM events e WHERE e.room_id = k.room_id ORDER BY e.stream_ordering DESC LIMIT 1)
  AS last ON :'with_activity'::boolean
ORDER BY k.place DESC, k.words, k.room_id;
