// The full states of thousands of groups side by side: trees that share every branch in which they are equal, so that a
// group which changes one key costs a few nodes and the difference of two states costs what differs, not what they hold.
// Used by predecessors.cpp and compress.cpp. One object belongs to one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "compression/state_groups.hpp"

namespace steward::compression {

class StateTree {
 public:
  using Root = std::uint32_t;  // 0: the empty state

  explicit StateTree(std::uint32_t keys);

  // The state `base` with these rows set; a row without event takes its key away. `base` stays as it is.
  Root with(Root base, const StateRow* first, const StateRow* last);

  // Calls visit(key, event before, event after) for every key that differs, until it returns false. True: all were visited.
  template <class Visit>
  bool differences(Root before, Root after, Visit&& visit) const {
    return differences(before, after, height_, 0, visit);
  }

 private:
  static constexpr std::uint32_t bits = 4, width = 1U << bits;
  using Node = std::array<std::uint32_t, width>;  // nodes below, at the bottom events

  std::uint32_t set(std::uint32_t node, std::uint32_t level, StateRow row);

  template <class Visit>
  bool differences(std::uint32_t before, std::uint32_t after, std::uint32_t level, std::uint32_t prefix, Visit&& visit) const {
    if (before == after) return true;
    if (level == 0) return visit(prefix, before, after);
    for (std::uint32_t slot = 0; slot < width; ++slot)
      if (!differences(nodes_[before][slot], nodes_[after][slot], level - 1, prefix << bits | slot, visit)) return false;
    return true;
  }

  std::uint32_t height_ = 1;
  std::uint32_t own_from_ = 0;  // nodes from here on belong to the state being made and may be changed in place
  std::vector<Node> nodes_;     // node 0 is empty at every level
};

}  // namespace steward::compression
