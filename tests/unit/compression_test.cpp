// State groups compressed in memory: what is refused, the algorithm of the known tool step by step, branches, groups that must
// stay, and the proof itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "compression/compress.hpp"

namespace steward::compression {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

void add(StateGroups& groups, std::int64_t id, std::optional<std::int64_t> predecessor, std::vector<std::pair<std::string, std::string>> rows,
         bool fixed = false) {
  groups.add_group(id, predecessor, fixed);
  for (const auto& [user, event] : rows) groups.add_row("m.room.member", user, event);
}

// One full state of `members`, then groups of one change each.
StateGroups chain(int length, int members = 50) {
  StateGroups groups;
  groups.add_group(1, std::nullopt);
  for (int member = 0; member < members; ++member) groups.add_row("m.room.member", "@" + std::to_string(member), "$first" + std::to_string(member));
  for (int id = 2; id <= length; ++id) add(groups, id, id - 1, {{"@" + std::to_string(id % members), "$change" + std::to_string(id)}});
  EXPECT_TRUE(groups.finish());
  return groups;
}

// The same as Synapse stores it: a full state every `hops` groups.
StateGroups chain_with_snapshots(int length, int hops, int members = 50) {
  const StateGroups whole = chain(length, members);
  StateGroups groups;
  for (Place place = 0; place < whole.groups().size(); ++place) {
    const StateGroup& group = whole.groups()[place];
    const bool full = place % static_cast<Place>(hops) == 0;
    groups.add_group(group.id, full ? std::nullopt : std::optional(group.id - 1));
    const FullState state = whole.collapse(place);
    const auto put = [&](std::uint32_t key, std::uint32_t event) {
      const auto [type, state_key] = whole.type_and_state_key(key);
      groups.add_row(type, state_key, whole.event_id(event));
    };
    if (!full) put(whole.begin(group)->key, whole.begin(group)->event);
    for (std::uint32_t key = 0; full && key < state.size(); ++key) put(key, state[key]);
  }
  EXPECT_TRUE(groups.finish());
  return groups;
}

std::vector<int> places(const Choice& choice) {
  std::vector<int> found;
  for (const Place each : choice.predecessor) found.push_back(each == nowhere ? -1 : static_cast<int>(each));
  return found;
}

std::string refusal(StateGroups& groups) {
  const auto finished = groups.finish();
  return finished ? "" : core::describe(finished.error());
}

TEST(StateGroups, CollapsesToTheNewestRowOfEachKey) {
  StateGroups groups;
  const std::int64_t large = 9'223'372'036'854'775'000;  // a double holds no such number
  add(groups, large + 1, large, {{"@b", "$b2"}});
  add(groups, large, std::nullopt, {{"@a", "$a1"}, {"@b", "$b1"}});
  ASSERT_TRUE(groups.finish());
  EXPECT_EQ(groups.groups()[0].id, large);
  EXPECT_EQ(groups.groups()[1].id, large + 1);
  EXPECT_EQ(groups.groups()[1].predecessor, 0U);
  std::map<std::string, std::string> state;
  const FullState collapsed = groups.collapse(1);
  for (std::uint32_t key = 0; key < collapsed.size(); ++key)
    state[std::string(groups.type_and_state_key(key).second)] = groups.event_id(collapsed[key]);
  EXPECT_EQ(state, (std::map<std::string, std::string>{{"@a", "$a1"}, {"@b", "$b2"}}));
}

TEST(StateGroups, TypeAndStateKeyAreKeptApart) {
  StateGroups groups;
  groups.add_group(1, std::nullopt);
  groups.add_row("a", "bc", "$1");
  groups.add_row("ab", "c", "$2");
  groups.add_row("abc", "", "$3");
  ASSERT_TRUE(groups.finish());
  EXPECT_EQ(groups.keys(), 3U);
  EXPECT_EQ(groups.type_and_state_key(1).first, "ab");
  EXPECT_EQ(groups.type_and_state_key(2).second, "");
}

TEST(StateGroups, RefusesByNameWhatItCannotTrust) {
  StateGroups circle;
  add(circle, 3, 9, {});
  add(circle, 9, 5, {});
  add(circle, 5, 3, {});
  EXPECT_THAT(refusal(circle), HasSubstr("in a circle: 3 → 9 → 5 → 3"));
  StateGroups itself;
  add(itself, 7, 7, {});
  EXPECT_THAT(refusal(itself), HasSubstr("in a circle: 7 → 7"));
  StateGroups missing;
  add(missing, 3, 2, {});
  EXPECT_THAT(refusal(missing), HasSubstr("State group 3 is built on 2, which is missing"));
  StateGroups later;
  add(later, 3, 4, {});
  add(later, 4, std::nullopt, {});
  EXPECT_THAT(refusal(later), HasSubstr("State group 3 is built on the later group 4"));
  StateGroups twice;
  add(twice, 3, std::nullopt, {});
  add(twice, 3, std::nullopt, {});
  EXPECT_THAT(refusal(twice), HasSubstr("State group 3 is there twice"));
  StateGroups rows;
  add(rows, 3, std::nullopt, {{"@a", "$1"}, {"@a", "$2"}});
  EXPECT_THAT(refusal(rows), HasSubstr("State group 3 holds two rows for m.room.member \"@a\""));
}

TEST(Predecessors, ByOrderIsTheAlgorithmOfTheKnownTool) {
  const StateGroups groups = chain(9);
  const Predecessors predecessors(groups, {2, 2});
  EXPECT_THAT(places(predecessors.by_order()), ElementsAre(-1, 0, -1, 2, 2, 4, -1, 6, 6));
}

TEST(Predecessors, ByDescentBeginsTheNextChainOnTheFirstGroup) {
  const StateGroups groups = chain(9);
  const Predecessors predecessors(groups, {2, 3});
  EXPECT_THAT(places(predecessors.by_descent()), ElementsAre(-1, 0, 0, 2, 2, 4, -1, 6, 6));
}

TEST(Predecessors, AGroupThatLosesAKeyIsBuiltOnNoneThatHasIt) {
  StateGroups groups;
  add(groups, 1, std::nullopt, {{"@a", "$a"}, {"@b", "$b"}});
  add(groups, 2, 1, {{"@b", "$b2"}});
  add(groups, 3, std::nullopt, {{"@b", "$b2"}});
  add(groups, 4, std::nullopt, {{"@b", "$b2"}, {"@c", "$c"}});
  ASSERT_TRUE(groups.finish());
  const Predecessors predecessors(groups, default_levels);
  EXPECT_THAT(places(predecessors.by_order()), ElementsAre(-1, 0, -1, 2));
  EXPECT_THAT(places(predecessors.by_descent()), ElementsAre(-1, 0, -1, 2));
  EXPECT_EQ(predecessors.by_descent().rows, (std::vector<std::uint32_t>{2, 1, 1, 1}));
}

TEST(Compress, SnapshotsBecomeDeltas) {
  const StateGroups groups = chain_with_snapshots(300, 20);
  const auto result = compress(groups, {20, 20});
  ASSERT_TRUE(result) << core::describe(result.error());
  const auto known = compress_by_order(groups, {20, 20});
  ASSERT_TRUE(known);
  EXPECT_EQ(result->rows_before, 15 * 50 + 285);
  EXPECT_EQ(result->rows_after, 50 + 285 + 14 * 20);
  EXPECT_EQ(known->rows_after, result->rows_after + 50 - 20);
  EXPECT_EQ(result->changed.size(), 14U);
  EXPECT_LE(result->depth_after, 40U);
}

TEST(Compress, ASecondTimeThereIsNothingLeftToDo) {
  const StateGroups groups = chain_with_snapshots(300, 20);
  const auto first = compress(groups, {20, 20});
  ASSERT_TRUE(first);
  StateGroups again;
  std::vector<const ChangedGroup*> changed(groups.groups().size(), nullptr);
  for (const ChangedGroup& each : first->changed) changed[each.group] = &each;
  for (Place place = 0; place < groups.groups().size(); ++place) {
    const StateGroup& group = groups.groups()[place];
    const Place predecessor = changed[place] ? changed[place]->predecessor : group.predecessor;
    again.add_group(group.id, predecessor == nowhere ? std::nullopt : std::optional(groups.groups()[predecessor].id));
    const std::vector<StateRow> rows = changed[place] ? changed[place]->delta : std::vector<StateRow>(groups.begin(group), groups.end(group));
    for (const StateRow& row : rows) again.add_row(groups.type_and_state_key(row.key).first, groups.type_and_state_key(row.key).second, groups.event_id(row.event));
  }
  ASSERT_TRUE(again.finish());
  EXPECT_EQ(again.row_count(), first->rows_after);
  const auto second = compress(again, {20, 20});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->changed.size(), 0U);
}

TEST(Compress, ABranchIsBuiltOnWhereItLeft) {
  StateGroups groups;
  groups.add_group(1, std::nullopt);
  for (int member = 0; member < 60; ++member) groups.add_row("m.room.member", "@" + std::to_string(member), "$first");
  for (int id = 2; id <= 40; ++id) add(groups, id, id - 1, {{"@" + std::to_string(id), "$one" + std::to_string(id)}});
  // State resolution forgot 38 changes; Synapse stored the result in full.
  groups.add_group(41, std::nullopt);
  for (int member = 0; member < 60; ++member) groups.add_row("m.room.member", "@" + std::to_string(member), member == 2 ? "$one2" : member == 59 ? "$new" : "$first");
  ASSERT_TRUE(groups.finish());
  const auto result = compress(groups);
  ASSERT_TRUE(result);
  ASSERT_EQ(result->changed.size(), 1U);
  EXPECT_EQ(groups.groups()[result->changed[0].predecessor].id, 2);
  EXPECT_EQ(result->rows_after, 60 + 39 + 1);
  const auto known = compress_by_order(groups);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->rows_after, 60 + 39 + 39);
}

TEST(Compress, WhatMustStayStaysAndNothingIsBuiltOnIt) {
  StateGroups groups;
  const std::vector<std::pair<std::string, std::string>> state{{"@a", "$a"}, {"@b", "$b"}, {"@c", "$c"}};
  add(groups, 1, std::nullopt, state);
  add(groups, 2, std::nullopt, state, true);
  add(groups, 3, 2, {{"@a", "$a3"}});
  add(groups, 4, std::nullopt, {{"@a", "$a3"}, {"@b", "$b"}, {"@c", "$c"}});
  ASSERT_TRUE(groups.finish());
  EXPECT_TRUE(groups.groups()[2].fixed);
  const auto result = compress(groups);
  ASSERT_TRUE(result);
  ASSERT_EQ(result->changed.size(), 1U);
  EXPECT_EQ(result->changed[0].group, 3U);
  EXPECT_EQ(result->changed[0].predecessor, 0U);
  EXPECT_EQ(result->rows_after, 3 + 3 + 1 + 1);
}

TEST(Compress, LeavesARoomAloneWhereNothingIsGained) {
  const StateGroups groups = chain(30);
  const auto result = compress(groups, {3, 3});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->changed.size(), 0U);
  EXPECT_EQ(result->rows_after, result->rows_before);
  EXPECT_EQ(result->depth_after, 29U);
  const StateGroups none;
  EXPECT_EQ(compress(none)->rows_after, 0);
}

TEST(Compress, LevelsMustHaveLengths) {
  const StateGroups groups = chain(3);
  EXPECT_EQ(compress(groups, {}).error().code, core::Code::bad_input);
  EXPECT_EQ(compress(groups, {5, 0}).error().code, core::Code::bad_input);
}

TEST(Proof, FindsEveryKindOfWrongChange) {
  const StateGroups groups = chain_with_snapshots(60, 20);
  const auto good = compress(groups, {20, 20});
  ASSERT_TRUE(good);
  ASSERT_FALSE(good->changed.empty());
  EXPECT_TRUE(prove(groups, good->changed));
  ASSERT_GE(good->changed.size(), 2U);
  const auto fails = [&groups, &good](const char* why, const std::function<void(ChangedGroup&)>& spoil) {
    auto changed = good->changed;
    spoil(changed[1]);
    const auto proven = prove(groups, changed);
    ASSERT_FALSE(proven) << why;
    EXPECT_THAT(core::describe(proven.error()), HasSubstr("state group 41: ")) << why;
  };
  fails("another event", [](ChangedGroup& each) { each.delta.front().event = each.delta.front().event == 1 ? 2 : 1; });
  fails("a row too few", [](ChangedGroup& each) { each.delta.pop_back(); });
  fails("another predecessor", [](ChangedGroup& each) { each.predecessor = 0; });
  fails("no predecessor", [](ChangedGroup& each) { each.predecessor = nowhere; });
  fails("a later one", [](ChangedGroup& each) { each.predecessor = each.group + 1; });
}

}  // namespace
}  // namespace steward::compression
