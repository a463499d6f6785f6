-- purpose: rooms that a delayed event is still to be sent into
-- locks: ACCESS SHARE on delayed_events
-- safe while Synapse runs: yes
-- schema: 88-94
-- :'rooms' NULL: all rooms; the first parameter, so that the reasons can be joined into one statement for one room.
SELECT DISTINCT d.room_id FROM delayed_events d
WHERE (:'rooms'::text[] IS NULL OR d.room_id = ANY (:'rooms'::text[])) AND NOT d.is_processed;
