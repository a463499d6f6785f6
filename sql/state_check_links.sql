-- purpose: links between state groups that make no sense: to or from a group that is gone, upwards (a circle has one), several from one group
-- locks: ACCESS SHARE on state_group_edges, state_groups
-- safe while Synapse runs: yes; reads the whole table of links
-- schema: 84-94
SELECT (SELECT count(*) FROM state_group_edges e WHERE NOT EXISTS (SELECT 1 FROM state_groups g WHERE g.id = e.prev_state_group)
          AND EXISTS (SELECT 1 FROM state_groups g WHERE g.id = e.state_group)) AS missing_predecessors,
       (SELECT count(*) FROM state_group_edges e WHERE NOT EXISTS (SELECT 1 FROM state_groups g WHERE g.id = e.state_group)) AS dangling,
       (SELECT count(*) FROM state_group_edges WHERE prev_state_group >= state_group) AS upwards,
       (SELECT count(*) FROM (SELECT 1 FROM state_group_edges GROUP BY state_group HAVING count(*) > 1) d) AS several;
