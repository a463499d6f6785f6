-- purpose: files and bytes of these media, local and cached
-- locks: ACCESS SHARE on local_media_repository, remote_media_cache
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT count(*) AS files, coalesce(sum(bytes), 0)::bigint AS bytes
FROM (SELECT m.media_length AS bytes FROM local_media_repository m WHERE m.media_id = ANY (:'local'::text[])
      UNION ALL
      SELECT c.media_length FROM unnest(:'origins'::text[], :'remote'::text[]) AS w (origin, id)
      JOIN remote_media_cache c ON c.media_origin = w.origin AND c.media_id = w.id) AS found;
