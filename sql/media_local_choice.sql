-- purpose: local media with what is to become of each: the chosen ones row by row, all others counted by reason
-- locks: ACCESS SHARE on local_media_repository, profiles, room_memberships, user_directory, room_stats_state
-- safe while Synapse runs: yes; one pass over these tables
-- schema: 84-94
-- The same choice as Synapse's own deletion by age (storage/databases/main/media_repository.py, get_local_media_ids), with two
-- differences. Link previews are kept: Synapse expires them itself, and its deletion would leave their files. Without a
-- cut-off ('before' is NULL) access does not matter, and 'larger' -1 takes empty files too. 'listed' false only counts.
WITH pictures AS MATERIALIZED (
  SELECT DISTINCT substr(url, length('mxc://' || :'server' || '/') + 1) AS media_id
  FROM (
    SELECT avatar_url AS url FROM profiles WHERE avatar_url IS NOT NULL
    UNION ALL SELECT avatar_url FROM room_memberships WHERE avatar_url IS NOT NULL
    UNION ALL SELECT avatar_url FROM user_directory WHERE avatar_url IS NOT NULL
    UNION ALL SELECT avatar FROM room_stats_state WHERE avatar IS NOT NULL) AS used
  WHERE starts_with(url, 'mxc://' || :'server' || '/')
), judged AS MATERIALIZED (
  SELECT m.media_id, m.user_id, m.media_length,
    CASE
      WHEN (:'user' <> '' AND m.user_id IS DISTINCT FROM :'user')
        OR (:'type' <> '' AND :'type' <> ALL (ARRAY[lower(btrim(split_part(m.media_type, ';', 1))), lower(split_part(m.media_type, '/', 1))]))
        OR (:'ids'::text[] IS NOT NULL AND m.media_id <> ALL (coalesce(:'ids'::text[], '{}'))) THEN 'outside'
      WHEN m.media_length IS NULL THEN 'reserved'
      WHEN :'before'::bigint IS NOT NULL AND (coalesce(m.last_access_ts, m.created_ts) < :'before'::bigint) IS NOT TRUE THEN 'recent'
      WHEN m.url_cache IS NOT NULL THEN 'preview'
      WHEN m.media_length <= :'larger'::bigint THEN 'small'
      WHEN m.quarantined_by IS NOT NULL THEN 'quarantined'
      WHEN m.safe_from_quarantine THEN 'protected'
      WHEN NOT :'include_profiles'::boolean AND p.media_id IS NOT NULL THEN 'avatar'
      ELSE 'chosen'
    END AS verdict
  FROM local_media_repository m
  LEFT JOIN pictures p ON p.media_id = m.media_id
)
SELECT verdict, media_id, user_id, media_length AS bytes, 1::bigint AS files FROM judged WHERE verdict = 'chosen' AND :'listed'::boolean
UNION ALL
SELECT verdict, NULL, NULL, coalesce(sum(media_length), 0)::bigint, count(*) FROM judged WHERE verdict <> 'chosen' OR NOT :'listed'::boolean GROUP BY 1;
