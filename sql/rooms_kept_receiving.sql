-- purpose: rooms with events from other servers that wait to be worked in
-- locks: ACCESS SHARE on federation_inbound_events_staging
-- safe while Synapse runs: yes
-- schema: 84-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT f.room_id FROM federation_inbound_events_staging f
WHERE (:'rooms'::text[] IS NULL OR f.room_id = ANY (:'rooms'::text[]));
