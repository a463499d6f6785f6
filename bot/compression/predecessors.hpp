// Which predecessor each state group should have, so that the deltas hold few rows and no chain gets deeper than the levels
// allow. Two ways: as synapse_compress_state does, in the order of the ids; and along the descent of the groups, which sees
// branches. Used by compress.cpp. One object belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compression/state_groups.hpp"
#include "compression/state_tree.hpp"

namespace steward::compression {

// The greatest length of a chain per level, the lowest first. A group goes on the lowest level that has room; where one is
// full it begins anew, and the group goes on the next. So no group is deeper than their sum.
using Levels = std::vector<std::uint32_t>;

// Synapse builds its next groups on the newest ones, and stores one in full once it would be more than 100 steps deep. So the
// newest hundred of a room get no deeper than that.
inline constexpr std::uint32_t newest_groups = 100, newest_depth = 100;

// Per group, by place.
struct Choice {
  std::vector<Place> predecessor;
  std::vector<std::uint32_t> rows;   // of its delta
  std::vector<std::uint32_t> depth;  // steps to a full state
  std::int64_t total = 0;
};

class Predecessors {
 public:
  // `spare_newest`: see newest_groups.
  Predecessors(const StateGroups& groups, Levels levels, bool spare_newest = true);

  // The algorithm of synapse_compress_state.
  Choice by_order() const;
  // Each group continues the levels of the group whose state is nearest to its own, not those of the group before it.
  Choice by_descent() const;

  // What `group` must set over `predecessor` (all it has, for nowhere).
  std::vector<StateRow> delta(Place group, Place predecessor) const;

 private:
  struct Level {
    Place head = nowhere;
    std::uint32_t length = 0;
  };
  using Heads = std::vector<Level>;

  StateTree::Root root(Place group) const { return group == nowhere ? 0 : roots_[group]; }
  void grow_states();
  StateTree::Root snapshot(Place group, std::vector<Place>& seen);
  Place extend(Heads& heads, Place group, const Choice& choice) const;
  Place nearest(Place group) const;
  void put(Choice& choice, Place group, Place predecessor) const;
  // The rows of the delta; nullopt when there are `limit` or more, or when the predecessor has a key that the group lacks
  // (a delta cannot take one away).
  std::optional<std::uint32_t> cost(Place group, Place predecessor, std::uint32_t limit = UINT32_MAX) const;

  const StateGroups& groups_;
  Levels levels_;
  bool spare_newest_;
  StateTree tree_;
  std::vector<StateTree::Root> roots_;
};

}  // namespace steward::compression
