-- purpose: keeps Synapse from storing an event of the room until the transaction ends (it takes FOR SHARE on this row)
-- locks: the room's row FOR NO KEY UPDATE
-- safe while Synapse runs: yes, in a short transaction
-- schema: 84-94
-- role: writer
SELECT room_id FROM rooms WHERE room_id = :'room' FOR NO KEY UPDATE;
