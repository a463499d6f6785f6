-- purpose: rising cut-offs that divide a purge of remote media into parts of about the same number of files
-- locks: ACCESS SHARE on remote_media_cache
-- safe while Synapse runs: yes; reads and sorts what would be purged
-- schema: 84-94
WITH wanted AS MATERIALIZED (
  SELECT last_access_ts, media_length FROM remote_media_cache
  WHERE last_access_ts < :'before'::bigint AND quarantined_by IS NULL
), parts AS (
  SELECT greatest(1, least(:'most'::bigint, (SELECT count(*) FROM wanted) / :'least_files'::bigint)) AS count
), edges AS (
  SELECT array_agg(DISTINCT edge ORDER BY edge) AS edges
  FROM (SELECT unnest((SELECT percentile_disc((SELECT array_agg(n::float8 / parts.count ORDER BY n) FROM parts, generate_series(1, parts.count - 1) AS n))
                              WITHIN GROUP (ORDER BY last_access_ts) FROM wanted)) + 1 AS edge
        UNION ALL SELECT :'before'::bigint) AS all_edges
), counted AS (
  SELECT width_bucket(w.last_access_ts, e.edges) + 1 AS part, count(*) AS files, coalesce(sum(w.media_length), 0)::bigint AS bytes
  FROM wanted w CROSS JOIN edges e GROUP BY 1
)
SELECT e.edges[c.part] AS before, c.files, c.bytes FROM counted c CROSS JOIN edges e ORDER BY c.part;
