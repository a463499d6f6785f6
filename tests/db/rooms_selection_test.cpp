// The choice of clean-rooms on a real PostgreSQL: every reason, for all rooms and for one, on the oldest and the newest schema.
// The tables are Synapse's, cut down to the columns that are read; tests/e2e does the same on a real Synapse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "commands/leftovers.hpp"
#include "commands/room_deletion.hpp"
#include "commands/room_selection.hpp"

namespace steward::commands {
namespace {

constexpr const char* tables = R"(
CREATE TABLE rooms (room_id text PRIMARY KEY, is_public boolean, creator text, room_version text);
CREATE TABLE events (event_id text PRIMARY KEY, room_id text NOT NULL, type text NOT NULL, state_key text, rejection_reason text,
  received_ts bigint, stream_ordering bigint UNIQUE, topological_ordering bigint, outlier boolean DEFAULT false);
CREATE INDEX ON events (room_id, stream_ordering);
CREATE TABLE event_json (event_id text PRIMARY KEY, room_id text, json text);
CREATE TABLE local_current_membership (room_id text, user_id text, event_id text, membership text);
CREATE TABLE room_memberships (event_id text UNIQUE, room_id text, user_id text, membership text, forgotten integer);
CREATE TABLE current_state_events (event_id text, room_id text, type text, state_key text, membership text, UNIQUE (room_id, type, state_key));
CREATE TABLE room_stats_state (room_id text UNIQUE, name text, canonical_alias text, room_type text, encryption text);
CREATE TABLE room_stats_current (room_id text, local_users_in_room integer);
CREATE TABLE partial_state_rooms (room_id text);
CREATE TABLE federation_inbound_events_staging (room_id text);
CREATE TABLE scheduled_tasks (id text, action text, status text, "timestamp" bigint, resource_id text, error text);
CREATE TABLE room_tags (user_id text, room_id text, tag text);
CREATE TABLE room_aliases (room_alias text, room_id text);
CREATE TABLE appservice_room_list (room_id text);
CREATE TABLE event_reports (room_id text);
CREATE TABLE blocked_rooms (room_id text);
CREATE TABLE room_retention (room_id text, event_id text);
CREATE TABLE event_labels (event_id text, label text, room_id text);
CREATE TABLE event_search (event_id text, room_id text);
CREATE TABLE threads (room_id text, thread_id text);
CREATE TABLE room_alias_servers (room_alias text, server text);
CREATE TABLE event_expiry (event_id text, expiry_ts bigint);
)";
constexpr const char* newer_tables = R"(
CREATE TABLE room_reports (room_id text);
CREATE TABLE delayed_events (room_id text, is_processed boolean);
CREATE TABLE sliding_sync_joined_rooms_to_recalculate (room_id text);
)";

class RoomSelectionTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    database.emplace();
    sql(tables);
    if (GetParam()) sql(newer_tables);
    db::SessionOptions options;
    options.name = "read";
    options.connection = core::Secret(database->connection());
    session.emplace(io.get_executor(), options);
    room("!live");
    sql("INSERT INTO local_current_membership VALUES ('!live', '@a:hs.test', '$live-1', 'join')");
  }
  void TearDown() override {
    session.reset();
    database.reset();
  }
  void sql(const std::string& text) { database->sql().exec(text); }
  // An old room of two events that nobody is in.
  void room(const std::string& id, const std::string& received = "1000") {
    sql("INSERT INTO rooms VALUES ('" + id + "', false, '@a:hs.test', '11')");
    for (const char* number : {"1", "2"}) {
      const std::string event = "$" + id.substr(1) + "-" + number;
      sql("INSERT INTO events (event_id, room_id, type, state_key, received_ts, stream_ordering, topological_ordering) VALUES ('" + event + "', '" + id +
          "', " + (*number == '1' ? "'m.room.create', ''" : "'m.room.message', NULL") + ", " + received + ", " + std::to_string(++position) + ", " + number + ")");
      sql("INSERT INTO event_json VALUES ('" + event + "', '" + id + R"(', '{"content":{}}'))");
    }
  }
  RoomChoice choice() {
    RoomChoice made;
    made.server_name = "hs.test";
    made.older = std::chrono::hours(24);
    made.protected_rooms = {"!protected", "#named:hs.test"};
    return made;
  }
  RoomSelection select(const RoomChoice& chosen) {
    auto work = [chosen](db::Transaction& transaction) { return select_rooms(transaction, chosen); };
    auto running = session->transaction(work);
    auto found = test::run(io, std::move(running));
    if (!found) throw std::runtime_error(core::describe(found.error()));
    return std::move(*found);
  }
  std::optional<RoomFacts> look(const RoomChoice& chosen, const std::string& id) {
    auto work = [chosen, id](db::Transaction& transaction) { return RoomWatch(chosen).look(transaction, id); };
    auto running = session->transaction(work);
    auto found = test::run(io, std::move(running));
    if (!found) throw std::runtime_error(core::describe(found.error()));
    return std::move(*found);
  }
  // What both ways say about a room; they must agree.
  std::set<Reason> reasons(const std::string& id) {
    const RoomSelection selection = select(choice());
    const auto found = std::find_if(selection.rooms.begin(), selection.rooms.end(), [&id](const RoomFacts& each) { return each.room_id == id; });
    if (found == selection.rooms.end()) throw std::runtime_error(id + " is not without a local member");
    const auto looked = look(choice(), id);
    EXPECT_TRUE(looked.has_value());
    if (looked) {
      EXPECT_EQ(found->reasons, looked->reasons) << id;
    }
    return found->reasons;
  }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<db::Session> session;
  std::int64_t position = 0;
};

TEST_P(RoomSelectionTest, EveryReasonIsFoundByBothWays) {
  const auto both = [this](const std::string& id, const std::string& statement, Reason reason) {
    room(id);
    if (!statement.empty()) sql(statement);
    EXPECT_EQ(reasons(id), std::set<Reason>{reason}) << id;
  };
  both("!invited", "INSERT INTO local_current_membership VALUES ('!invited', '@a:hs.test', 'x', 'invite')", Reason::invited);
  both("!knocked", "INSERT INTO local_current_membership VALUES ('!knocked', '@a:hs.test', 'x', 'knock')", Reason::knocked);
  both("!joining", "INSERT INTO partial_state_rooms VALUES ('!joining')", Reason::joining);
  both("!receiving", "INSERT INTO federation_inbound_events_staging VALUES ('!receiving')", Reason::receiving);
  both("!working", "INSERT INTO scheduled_tasks VALUES ('t', 'shutdown_and_purge_room', 'active', 1, '!working')", Reason::working);
  both("!notices", "INSERT INTO room_tags VALUES ('@a:hs.test', '!notices', 'm.server_notice')", Reason::protected_);
  both("!protected", "", Reason::protected_);
  both("!second", "INSERT INTO current_state_events VALUES ('x', '!second', 'm.room.member', '@a:hs.test', 'join')", Reason::joined);
  both("!left", "INSERT INTO local_current_membership VALUES ('!left', '@a:hs.test', '$left', 'leave');"
       "INSERT INTO room_memberships VALUES ('$left', '!left', '@a:hs.test', 'leave', 0)", Reason::left);
  both("!aliased", "INSERT INTO room_aliases VALUES ('#other:hs.test', '!aliased')", Reason::aliased);
  both("!published", "UPDATE rooms SET is_public = true WHERE room_id = '!published'", Reason::published);
  both("!space", "INSERT INTO room_stats_state VALUES ('!space', NULL, NULL, 'm.space')", Reason::spaces);
  both("!untold", R"(UPDATE event_json SET json = '{"content":{"type":"m.space"}}' WHERE event_id = '$untold-1')", Reason::spaces);
  both("!child", "INSERT INTO current_state_events VALUES ('x', '!live', 'm.space.child', '!child', NULL)", Reason::spaces);
  both("!upgraded", "UPDATE events SET type = 'm.room.tombstone', state_key = '' WHERE event_id = '$upgraded-2'", Reason::upgraded);
  both("!reported", "INSERT INTO event_reports VALUES ('!reported')", Reason::reported);
  both("!blocked", "INSERT INTO blocked_rooms VALUES ('!blocked')", Reason::blocked);
  both("!recent", "UPDATE events SET received_ts = extract(epoch FROM now()) * 1000 WHERE event_id = '$recent-2'", Reason::recent);
  both("!undated", "UPDATE events SET received_ts = NULL WHERE room_id = '!undated'", Reason::undated);
  both("!empty", "DELETE FROM events WHERE room_id = '!empty'", Reason::empty);
  if (!GetParam()) return;
  both("!delayed", "INSERT INTO delayed_events VALUES ('!delayed', false), ('!live', false)", Reason::delayed);
  both("!room_reported", "INSERT INTO room_reports VALUES ('!room_reported')", Reason::reported);
  both("!recalculated", "INSERT INTO sliding_sync_joined_rooms_to_recalculate VALUES ('!recalculated')", Reason::recalculated);
}

TEST_P(RoomSelectionTest, WhatLooksSimilarIsNoReason) {
  room("!plain");
  sql("INSERT INTO local_current_membership VALUES ('!plain', '@a:hs.test', '$plain', 'leave');"
      "INSERT INTO room_memberships VALUES ('$plain', '!plain', '@a:hs.test', 'leave', 1);"  // forgotten
      "INSERT INTO current_state_events VALUES ('x', '!plain', 'm.room.member', '@a:evil-hs.test', 'join');"  // ends alike, other server
      "INSERT INTO scheduled_tasks VALUES ('t', 'shutdown_and_purge_room', 'complete', 1, '!plain');"
      "UPDATE events SET type = 'm.room.tombstone' WHERE event_id = '$plain-2'");  // no state event
  EXPECT_EQ(reasons("!plain"), std::set<Reason>{});
  EXPECT_EQ(look(choice(), "!unknown"), std::nullopt);
  const auto live = look(choice(), "!live");
  ASSERT_TRUE(live.has_value());
  EXPECT_TRUE(live->reasons.contains(Reason::joined));
}

TEST_P(RoomSelectionTest, IncludeTakesThatReasonAndNoOther) {
  RoomFacts room;
  room.reasons = {Reason::left, Reason::blocked};
  RoomChoice chosen = choice();
  EXPECT_EQ(kept_for(room, chosen), Reason::left);
  chosen.included = {Reason::left};
  EXPECT_EQ(kept_for(room, chosen), Reason::blocked);
  chosen.included = {Reason::left, Reason::blocked};
  EXPECT_EQ(kept_for(room, chosen), std::nullopt);
  for (const std::string& each : includable_words()) EXPECT_GE(*parse_reason(each), first_includable);
  EXPECT_EQ(includable_words().size(), 8U);
}

TEST_P(RoomSelectionTest, FaultyMembershipTablesAreRefused) {
  RoomSelection selection = select(choice());
  EXPECT_EQ(selection.local_joins, 1);
  EXPECT_TRUE(check_memberships(selection));
  selection.local_joins = 0;
  EXPECT_FALSE(check_memberships(selection));
  selection.local_joins = 1000;
  selection.local_joins_by_stats = 1040;
  EXPECT_TRUE(check_memberships(selection));
  selection.local_joins_by_stats = 1100;
  EXPECT_FALSE(check_memberships(selection));
}

TEST_P(RoomSelectionTest, LeftoversGoAndWhatIsLiveStays) {
  room("!here");
  sql("INSERT INTO room_retention VALUES ('!gone', '$gone'), ('!here', '$here-1'), ('!here', '$old');"
      "INSERT INTO event_labels SELECT '$gone' || n, 'l', '!gone' FROM generate_series(1, 12000) n;"
      "INSERT INTO event_labels VALUES ('$here-1', 'l', '!here');"
      "INSERT INTO threads VALUES ('!gone', 't'), ('!here', 't');"
      "INSERT INTO room_alias_servers VALUES ('#gone:hs.test', 's'), ('#other:hs.test', 's');"
      "INSERT INTO event_expiry VALUES ('$gone', 1), ('$here-1', 1);"
      "INSERT INTO blocked_rooms VALUES ('!gone'); INSERT INTO event_reports VALUES ('!gone')");
  LeftoverNames names;
  names.aliases = {"#gone:hs.test"};
  names.expiring = {"$gone", "$here-1"};
  auto cleaning = clean_leftovers(*session, "!gone", names);
  auto cleaned = test::run(io, std::move(cleaning));
  ASSERT_TRUE(cleaned) << core::describe(cleaned.error());
  EXPECT_EQ(*cleaned, (TableRows{{"room_retention", 1}, {"event_labels", 12000}, {"threads", 1}, {"room_alias_servers", 1}, {"event_expiry", 1}}));
  EXPECT_EQ(database->sql().value("SELECT count(*) FROM blocked_rooms NATURAL JOIN event_reports"), "1");
  EXPECT_EQ(database->sql().value("SELECT count(*) FROM event_labels"), "1");
  EXPECT_EQ(database->sql().value("SELECT count(*) FROM room_alias_servers"), "1");
  // The room is there again: only what belongs to no event goes.
  auto again = clean_leftovers(*session, "!here", LeftoverNames());
  auto few = test::run(io, std::move(again));
  ASSERT_TRUE(few);
  EXPECT_EQ(*few, (TableRows{{"room_retention", 1}}));
  EXPECT_EQ(database->sql().value("SELECT count(*) FROM threads"), "1");
}

TEST_P(RoomSelectionTest, RowsSurviveTheJournal) {
  TableRows rows, leftovers;
  read_rows(write_rows({{"events", 18}, {"event_json", 18}, {"event_search", 0}}, {{"event_labels", 3}}), rows, leftovers);
  read_rows(write_rows({{"events", 2}}, {}), rows, leftovers);
  EXPECT_EQ(rows, (TableRows{{"events", 20}, {"event_json", 18}}));
  EXPECT_EQ(leftovers, (TableRows{{"event_labels", 3}}));
}

std::string schema_name(const testing::TestParamInfo<bool>& schema) { return schema.param ? "NewestSchema" : "OldestSchema"; }
INSTANTIATE_TEST_SUITE_P(Schemas, RoomSelectionTest, testing::Bool(), schema_name);

}  // namespace
}  // namespace steward::commands
