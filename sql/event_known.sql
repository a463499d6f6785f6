-- purpose: an event by its id: proof that this database belongs to the homeserver that has it
-- locks: ACCESS SHARE on events
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT event_id FROM events WHERE event_id = :'event';
