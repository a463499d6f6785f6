-- purpose: the first of the room's newest state groups, which are left alone: at most 100, at most back to the newest full state
-- locks: ACCESS SHARE on state_groups, state_group_edges
-- safe while Synapse runs: yes
-- schema: 89-94
-- Synapse counts the steps from its newest group to a full state: past 100 it stores the next group in full.
WITH RECURSIVE chain(at, steps) AS (
  SELECT max(id), 1 FROM state_groups WHERE room_id = :'room'
  UNION ALL
  SELECT e.prev_state_group, c.steps + 1 FROM chain c JOIN state_group_edges e ON e.state_group = c.at WHERE c.steps <= 100)
SELECT greatest((SELECT min(at) FROM chain),
                (SELECT min(id) FROM (SELECT id FROM state_groups WHERE room_id = :'room' ORDER BY id DESC LIMIT 100) newest)) AS id;
