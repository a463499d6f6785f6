-- purpose: other media with the same content as one, by the hash that Synapse keeps since 1.128
-- locks: ACCESS SHARE on local_media_repository, remote_media_cache
-- safe while Synapse runs: yes; by Synapse's index of hashes
-- schema: 91-94
WITH content AS MATERIALIZED (
  SELECT sha256 FROM local_media_repository WHERE :'origin' = :'server' AND media_id = :'media_id'
  UNION ALL
  SELECT sha256 FROM remote_media_cache WHERE :'origin' <> :'server' AND media_origin = :'origin' AND media_id = :'media_id'
), same AS (
  SELECT :'server' AS origin, m.media_id, m.quarantined_by IS NOT NULL AS quarantined
  FROM local_media_repository m JOIN content c USING (sha256)
  UNION ALL
  SELECT m.media_origin, m.media_id, m.quarantined_by IS NOT NULL
  FROM remote_media_cache m JOIN content c USING (sha256)
)
SELECT origin, media_id, quarantined, count(*) OVER () AS total
FROM same
WHERE (origin, media_id) <> (:'origin', :'media_id')
ORDER BY origin = :'server' DESC, origin, media_id
LIMIT :'limit'::bigint;
