// Fewer rows for the same states: the state groups of a room before and after, as a list of groups to rewrite, proven equal.
// Used by the bench and the tests. CPU work: over 50 ms for large rooms, then on the compute thread. No SQL, no I/O.
#pragma once

#include <cstdint>
#include <vector>

#include "compression/predecessors.hpp"
#include "compression/state_groups.hpp"
#include "core/error.hpp"

namespace steward::compression {

inline const Levels default_levels{100, 50, 25};  // of synapse_compress_state

struct ChangedGroup {
  Place group = nowhere;
  Place predecessor = nowhere;  // the new one; nowhere: the delta is the full state
  std::vector<StateRow> delta;  // instead of all rows it has
};

struct Compression {
  std::int64_t rows_before = 0, rows_after = 0;
  std::uint32_t depth_before = 0, depth_after = 0;  // of the deepest group, in steps to a full state
  std::vector<ChangedGroup> changed;                // by ascending id; empty: the room stays as it is
};

// The better of the two ways of Predecessors. Leaves the room alone when nothing is gained. bad_input: no levels, or an
// empty one. internal: the proof failed (a bug of ours), naming the group.
core::Result<Compression> compress(const StateGroups& groups, const Levels& levels = default_levels);
// As synapse_compress_state does it, which does not spare the newest groups; for comparison.
core::Result<Compression> compress_by_order(const StateGroups& groups, const Levels& levels = default_levels);

// Collapses each changed group by the stored and by the new predecessors and deltas and compares. It shares no code with
// the choice. A group that is not changed keeps its delta and its predecessor, so that its state follows from that one's.
core::Result<void> prove(const StateGroups& groups, const std::vector<ChangedGroup>& changed);

}  // namespace steward::compression
