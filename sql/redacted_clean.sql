-- purpose: takes what is left of censored events out of the search index, of two columns nobody reads, and of past memberships
-- locks: ROW EXCLUSIVE on event_search, events, room_memberships
-- safe while Synapse runs: yes; only for events whose JSON is censored (redacted_recheck, in the same transaction)
-- schema: 84-94
-- role: writer
-- The tables: Synapse caches nothing of them. events.content and events.unrecognized_keys are neither read nor written by any
-- supported version; what stands there is from before 2020 or from a cleaning script. Names of a past membership: what a redaction leaves.
WITH search AS (DELETE FROM event_search WHERE event_id = ANY (:'events'::text[]) RETURNING 1),
old_columns AS (
  UPDATE events SET content = NULL, unrecognized_keys = NULL
  WHERE event_id = ANY (:'events'::text[]) AND (content IS NOT NULL OR unrecognized_keys IS NOT NULL) RETURNING 1),
names AS (
  UPDATE room_memberships m SET display_name = NULL, avatar_url = NULL
  WHERE m.event_id = ANY (:'events'::text[]) AND (m.display_name IS NOT NULL OR m.avatar_url IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM current_state_events c WHERE c.event_id = m.event_id) RETURNING 1)
SELECT (SELECT count(*) FROM search) AS search_rows, (SELECT count(*) FROM old_columns) AS old_columns, (SELECT count(*) FROM names) AS names;
