// What holds for every forest of state groups: each state is the same before and after, told by a model that knows nothing of
// predecessors; no chain is deeper than the levels; rows become fewer or nothing is changed.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <numeric>

#include "compression/compress.hpp"

namespace steward::compression {
namespace {

using State = std::map<std::string, std::string>;

struct Forest {
  StateGroups groups;
  std::vector<State> states;  // the model, by place
};

// Groups are built on earlier ones (often the last, as in a quiet room), or stand alone with another state.
Forest forest(bool with_fixed) {
  Forest made;
  const int count = *rc::gen::inRange(1, 90);
  const int users = *rc::gen::inRange(1, 40);
  std::int64_t id = *rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << 62);
  std::vector<std::int64_t> ids;
  for (int number = 0; number < count; ++number) {
    id += *rc::gen::inRange(1, 5);
    const int back = *rc::gen::weightedElement<int>({{6, 1}, {1, *rc::gen::inRange(1, count + 1)}});
    const bool related = back <= number;
    const bool full = !related || *rc::gen::inRange(0, 4) == 0;
    State state = related ? made.states[static_cast<std::size_t>(number - back)] : State();
    State delta;
    const int changes = *rc::gen::inRange(0, related ? 3 : users + 1);
    for (int change = 0; change < changes; ++change)
      delta["@" + std::to_string(*rc::gen::inRange(0, users))] = "$" + std::to_string(*rc::gen::inRange(0, 30));
    for (const auto& [user, event] : delta) state[user] = event;
    if (full && !state.empty() && *rc::gen::inRange(0, 3) == 0) state.erase(state.begin());
    made.groups.add_group(id, full ? std::nullopt : std::optional(ids[static_cast<std::size_t>(number - back)]), with_fixed && *rc::gen::inRange(0, 8) == 0);
    for (const auto& [user, event] : full ? state : delta) made.groups.add_row("m.room.member", user, event);
    made.states.push_back(std::move(state));
    ids.push_back(id);
  }
  RC_ASSERT(made.groups.finish().has_value());
  return made;
}

State told(const StateGroups& groups, Place place) {
  State state;
  const FullState collapsed = groups.collapse(place);
  for (std::uint32_t key = 0; key < collapsed.size(); ++key)
    if (collapsed[key] != no_event) state[std::string(groups.type_and_state_key(key).second)] = groups.event_id(collapsed[key]);
  return state;
}

// What a database would hold after the changes, read anew.
StateGroups rewritten(const StateGroups& groups, const Compression& result) {
  StateGroups made;
  std::map<Place, const ChangedGroup*> changed;
  for (const ChangedGroup& each : result.changed) changed[each.group] = &each;
  for (Place place = 0; place < groups.groups().size(); ++place) {
    const StateGroup& group = groups.groups()[place];
    const auto found = changed.find(place);
    const bool is_changed = found != changed.end();
    const Place predecessor = is_changed ? found->second->predecessor : group.predecessor;
    made.add_group(group.id, predecessor == nowhere ? std::nullopt : std::optional(groups.groups()[predecessor].id), group.fixed);
    const std::vector<StateRow> rows = is_changed ? found->second->delta : std::vector<StateRow>(groups.begin(group), groups.end(group));
    for (const StateRow& row : rows) made.add_row("m.room.member", groups.type_and_state_key(row.key).second, groups.event_id(row.event));
  }
  RC_ASSERT(made.finish().has_value());
  return made;
}

Levels levels() { return *rc::gen::nonEmpty(rc::gen::container<Levels>(rc::gen::inRange<std::uint32_t>(1, 12))); }

void check_states(const Forest& before, const StateGroups& after) {
  for (Place place = 0; place < before.states.size(); ++place) {
    RC_ASSERT(told(before.groups, place) == before.states[place]);
    RC_ASSERT(told(after, place) == before.states[place]);
  }
}

void check_rows(const StateGroups& before, const StateGroups& after, const Compression& result, const Levels& chosen) {
  RC_ASSERT(result.rows_before == before.row_count());
  RC_ASSERT(result.rows_after == after.row_count());
  if (!result.changed.empty()) RC_ASSERT(result.rows_after < result.rows_before);
  const auto known = compress_by_order(before, chosen);
  RC_ASSERT(known.has_value());
  RC_ASSERT(result.rows_after <= known->rows_after);
}

RC_GTEST_PROP(CompressProperties, EveryStateIsTheSameAndNoChainTooDeep, ()) {
  const Forest before = forest(false);
  const Levels chosen = levels();
  const auto result = compress(before.groups, chosen);
  RC_ASSERT(result.has_value());
  const StateGroups after = rewritten(before.groups, *result);
  check_states(before, after);
  check_rows(before.groups, after, *result, chosen);
  if (result->changed.empty()) return;
  RC_ASSERT(result->depth_after <= std::accumulate(chosen.begin(), chosen.end(), 0U));
}

RC_GTEST_PROP(CompressProperties, TheKnownAlgorithmKeepsEveryStateToo, ()) {
  const Forest before = forest(false);
  const Levels chosen = levels();
  const auto result = compress_by_order(before.groups, chosen);
  RC_ASSERT(result.has_value());
  check_states(before, rewritten(before.groups, *result));
  if (!result->changed.empty()) RC_ASSERT(result->depth_after <= std::accumulate(chosen.begin(), chosen.end(), 0U));
}

RC_GTEST_PROP(CompressProperties, FixedGroupsAreNeitherChangedNorBuiltOn, ()) {
  const Forest before = forest(true);
  const Levels chosen = levels();
  const auto result = compress(before.groups, chosen);
  RC_ASSERT(result.has_value());
  for (const ChangedGroup& each : result->changed) {
    RC_ASSERT(!before.groups.groups()[each.group].fixed);
    if (each.predecessor != nowhere) RC_ASSERT(!before.groups.groups()[each.predecessor].fixed);
  }
  const StateGroups after = rewritten(before.groups, *result);
  check_states(before, after);
  check_rows(before.groups, after, *result, chosen);
}

}  // namespace
}  // namespace steward::compression
