-- purpose: the newest event's place in the stream
-- locks: ACCESS SHARE on events
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT coalesce(max(stream_ordering), 0) AS position FROM events;
