#include "compression/compress.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace steward::compression {

namespace {

core::Result<void> check(const Levels& levels) {
  if (!levels.empty() && std::find(levels.begin(), levels.end(), 0U) == levels.end()) return {};
  return core::fail(core::Code::bad_input, "Each level needs a length of at least 1", {}, "for example 100,50,25");
}

std::uint32_t greatest(const std::vector<std::uint32_t>& depth) { return depth.empty() ? 0 : *std::max_element(depth.begin(), depth.end()); }

std::uint32_t stored_depth(const StateGroups& groups) {
  std::vector<std::uint32_t> depth;
  for (const StateGroup& group : groups.groups()) depth.push_back(group.predecessor == nowhere ? 0 : depth[group.predecessor] + 1);
  return greatest(depth);
}

core::Result<Compression> result_of(const StateGroups& groups, const Predecessors& predecessors, const Choice& choice) {
  Compression result;
  result.rows_before = result.rows_after = groups.row_count();
  result.depth_before = result.depth_after = stored_depth(groups);
  if (choice.total >= groups.row_count()) return result;
  for (Place place = 0; place < choice.predecessor.size(); ++place)
    if (choice.predecessor[place] != groups.groups()[place].predecessor)
      result.changed.push_back({place, choice.predecessor[place], predecessors.delta(place, choice.predecessor[place])});
  if (auto proven = prove(groups, result.changed); !proven) return core::fail(proven.error());
  result.rows_after = choice.total;
  result.depth_after = greatest(choice.depth);
  return result;
}

// The stored groups with the changed ones in their new form.
class NewForm {
 public:
  NewForm(const StateGroups& groups, const std::vector<ChangedGroup>& changed) : groups_(groups), by_place_(groups.groups().size(), nullptr) {
    for (const ChangedGroup& each : changed) by_place_[each.group] = &each;
  }
  FullState collapse(Place group) const {
    FullState state(groups_.keys(), no_event);
    const auto take = [&state](const StateRow& row) {
      if (state[row.key] == no_event) state[row.key] = row.event;
    };
    while (group != nowhere) {
      const ChangedGroup* changed = by_place_[group];
      const StateGroup& stored = groups_.groups()[group];
      if (changed) std::for_each(changed->delta.begin(), changed->delta.end(), take);
      else std::for_each(groups_.begin(stored), groups_.end(stored), take);
      group = changed ? changed->predecessor : stored.predecessor;
    }
    return state;
  }

 private:
  const StateGroups& groups_;
  std::vector<const ChangedGroup*> by_place_;
};

}  // namespace

core::Result<void> prove(const StateGroups& groups, const std::vector<ChangedGroup>& changed) {
  const auto wrong = [&groups](Place place, const char* why) {
    return core::fail(core::Code::internal, fmt::format("Compressing would change the state of state group {}", groups.groups()[place].id), why,
                      "nothing was changed; please report this");
  };
  for (const ChangedGroup& each : changed) {
    if (groups.groups()[each.group].fixed) return wrong(each.group, "it is not to be touched");
    if (each.predecessor == nowhere) continue;
    if (each.predecessor >= each.group) return wrong(each.group, "its new predecessor is not older");
    if (groups.groups()[each.predecessor].fixed) return wrong(each.group, "its new predecessor is not to be built on");
  }
  const NewForm after(groups, changed);
  for (const ChangedGroup& each : changed)
    if (groups.collapse(each.group) != after.collapse(each.group)) return wrong(each.group, "its state before and after differ");
  return {};
}

core::Result<Compression> compress(const StateGroups& groups, const Levels& levels) {
  if (auto right = check(levels); !right) return core::fail(right.error());
  const Predecessors predecessors(groups, levels);
  const Choice by_order = predecessors.by_order(), by_descent = predecessors.by_descent();
  return result_of(groups, predecessors, by_order.total < by_descent.total ? by_order : by_descent);
}

core::Result<Compression> compress_by_order(const StateGroups& groups, const Levels& levels) {
  if (auto right = check(levels); !right) return core::fail(right.error());
  const Predecessors predecessors(groups, levels, /*spare_newest=*/false);
  return result_of(groups, predecessors, predecessors.by_order());
}

}  // namespace steward::compression
