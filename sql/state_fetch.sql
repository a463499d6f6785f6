-- purpose: the next rows of what state_groups_of opened
-- locks: none beyond those it holds
-- safe while Synapse runs: yes
-- schema: 89-94
-- after: state_groups_of
FETCH FORWARD 2000 FROM steward_state;
