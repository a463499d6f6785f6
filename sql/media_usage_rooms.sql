-- purpose: unencrypted rooms with the most events that name a file: those whose media Synapse can be asked for
-- locks: ACCESS SHARE on events, room_stats_state
-- safe while Synapse runs: yes; reads Synapse's partial index of events with a URL
-- schema: 84-94
SELECT e.room_id, coalesce(s.name, s.canonical_alias, '') AS name
FROM (SELECT room_id, count(*) AS named FROM events WHERE contains_url AND NOT outlier GROUP BY 1) AS e
LEFT JOIN room_stats_state s USING (room_id)
WHERE s.encryption IS NULL
ORDER BY e.named DESC, e.room_id
LIMIT :'limit'::bigint;
