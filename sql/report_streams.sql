-- purpose: how far each consumer of the event stream is behind the newest event
-- locks: ACCESS SHARE on events, user_directory_stream_pos, stats_incremental_position, federation_stream_position, event_push_summary_stream_ordering
-- safe while Synapse runs: yes; small tables
-- schema: 84-94
SELECT c.name, c.position, newest.position - c.position AS behind
FROM (SELECT max(stream_ordering) AS position FROM events) AS newest,
     (SELECT 'user directory' AS name, max(stream_id) AS position FROM user_directory_stream_pos
      UNION ALL SELECT 'statistics', max(stream_id) FROM stats_incremental_position
      UNION ALL SELECT 'federation', min(stream_id) FROM federation_stream_position WHERE type = 'events'
      UNION ALL SELECT 'push summary', max(stream_ordering) FROM event_push_summary_stream_ordering) AS c
ORDER BY 3 DESC NULLS LAST, 1;
