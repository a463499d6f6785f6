// The registry of room tables against a catalogue: order by foreign keys, missing and unknown tables, who points at what.
#include "db/room_tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "../support/postgres.hpp"
#include "../support/run.hpp"

namespace steward::db {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

// Foreign keys as on schema 94, and what the keys of the registry need.
constexpr const char* some_tables = R"(
CREATE TABLE rooms (room_id text PRIMARY KEY);
CREATE TABLE events (event_id text UNIQUE, room_id text, stream_ordering bigint UNIQUE);
CREATE TABLE event_json (event_id text, room_id text);
CREATE TABLE event_edges (event_id text REFERENCES events (event_id), room_id text);
CREATE TABLE event_auth_chains (event_id text, chain_id bigint, sequence_number bigint);
CREATE TABLE event_auth_chain_links (origin_chain_id bigint, origin_sequence_number bigint);
CREATE TABLE event_forward_extremities (event_id text REFERENCES events (event_id) DEFERRABLE INITIALLY DEFERRED, room_id text);
CREATE TABLE room_memberships (event_id text, room_id text, event_stream_ordering bigint REFERENCES events (stream_ordering));
CREATE TABLE room_aliases (room_alias text, room_id text);
CREATE TABLE room_alias_servers (room_alias text);
CREATE TABLE state_groups (id bigint, room_id text);
CREATE TABLE state_groups_state (state_group bigint, room_id text);
CREATE TABLE state_group_edges (state_group bigint);
CREATE TABLE event_labels (event_id text, room_id text);
CREATE TABLE blocked_rooms (room_id text);
)";

class RoomTablesTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    database.emplace();
    database->sql().exec(some_tables);
    SessionOptions options;
    options.name = "tables";
    options.connection = core::Secret(database->connection());
    session.emplace(io.get_executor(), std::move(options));
  }
  void TearDown() override {
    session.reset();
    database.reset();
  }
  core::Result<RoomTablesHere> look(int version = 94) {
    auto work = [version](Transaction& transaction) { return room_tables_here(transaction, version); };
    return test::run(io, session->transaction(std::move(work)));
  }
  std::vector<std::string> order() {
    auto here = look();
    if (!here) throw std::runtime_error(core::describe(here.error()));
    std::vector<std::string> names;
    for (const RoomTable* table : here->deletion) names.emplace_back(table->name);
    return names;
  }
  std::vector<std::string> pointing() {
    auto work = [](Transaction& transaction) { return unknown_references(transaction); };
    return test::run(io, session->transaction(std::move(work))).value();
  }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<Session> session;
};

bool before(const std::vector<std::string>& names, const std::string& first, const std::string& second) {
  return std::find(names.begin(), names.end(), first) < std::find(names.begin(), names.end(), second);
}

TEST(RoomTables, EachTableIsNamedOnce) {
  std::set<std::string_view> seen;
  for (const RoomTable& table : room_tables()) EXPECT_TRUE(seen.insert(table.name).second) << table.name;
  EXPECT_EQ(find_room_table("event_reports")->action, RoomAction::keep);
  EXPECT_EQ(find_room_table("current_state_delta_stream")->action, RoomAction::stream);
  EXPECT_EQ(find_room_table("users"), nullptr);
}

TEST(RoomTables, WhatIsFoundByAnEventNamesItsColumn) {
  for (const RoomTable& table : room_tables()) {
    if (table.key == RoomKey::event && table.action != RoomAction::stream) { EXPECT_EQ(table.event, "event_id") << table.name; }
  }
}

TEST_F(RoomTablesTest, ChildrenGoBeforeTheirParentsAndKeysBeforeWhatTheyAreFoundBy) {
  const std::vector<std::string> names = order();
  for (const char* child : {"event_edges", "room_memberships", "event_forward_extremities", "event_json", "event_auth_chain_links"})
    EXPECT_TRUE(before(names, child, "events")) << child;
  EXPECT_TRUE(before(names, "event_auth_chain_links", "event_auth_chains"));
  EXPECT_TRUE(before(names, "room_alias_servers", "room_aliases"));
  EXPECT_TRUE(before(names, "state_groups_state", "state_groups"));
  EXPECT_THAT(names, Not(Contains("blocked_rooms")));
  // A key that this registry's order does not know of.
  database->sql().exec("ALTER TABLE state_groups ADD UNIQUE (id); ALTER TABLE rooms ADD grp bigint REFERENCES state_groups (id)");
  EXPECT_TRUE(before(order(), "rooms", "state_groups"));
  database->sql().exec("ALTER TABLE event_json ADD UNIQUE (event_id); ALTER TABLE events ADD FOREIGN KEY (event_id) REFERENCES event_json (event_id)");
  auto circle = look();
  ASSERT_FALSE(circle) << "event_json is found by events and pointed at by it";
  EXPECT_THAT(circle.error().what, HasSubstr("circle"));
}

TEST_F(RoomTablesTest, MissingTablesAreNamedWhereTheSchemaShouldHaveThem) {
  EXPECT_THAT(look(94)->missing, IsSupersetOf({"event_search", "sticky_events", "sliding_sync_joined_rooms"}));
  EXPECT_THAT(look(84)->missing, AllOf(Contains("event_search"), Not(Contains("sticky_events")), Not(Contains("sliding_sync_joined_rooms"))));
  EXPECT_THAT(look(94)->missing, Not(Contains("events")));
}

TEST_F(RoomTablesTest, UnknownTablesAreNamedAndNeverDeletedFrom) {
  EXPECT_THAT(look()->unknown, IsEmpty());
  database->sql().exec("CREATE TABLE bridge_portal (room_id text); CREATE TABLE state_compressor_state (room_id text); CREATE TABLE other (a text)");
  EXPECT_THAT(look()->unknown, ElementsAre("bridge_portal"));
  EXPECT_THAT(order(), Not(Contains("bridge_portal")));
}

TEST_F(RoomTablesTest, WhoPointsAtAnyTableWeDeleteFromIsFound) {
  EXPECT_THAT(pointing(), IsEmpty());
  database->sql().exec("ALTER TABLE event_json ADD UNIQUE (event_id);"
                       "CREATE TABLE archive (event_id text REFERENCES event_json (event_id) ON DELETE CASCADE);"
                       "CREATE TABLE block_notes (a text)");
  EXPECT_THAT(pointing(), ElementsAre("archive"));
}

TEST_F(RoomTablesTest, TheStatementsTakeTheRoomsRowsAndNoOther) {
  database->sql().exec(R"(
    INSERT INTO rooms VALUES ('!a'), ('!b');
    INSERT INTO events VALUES ('$a1', '!a', 1), ('$a2', '!a', 2), ('$b1', '!b', 3);
    INSERT INTO event_json SELECT event_id, room_id FROM events;
    INSERT INTO event_edges SELECT event_id, NULL FROM events;
    INSERT INTO event_labels SELECT event_id, room_id FROM events;
    INSERT INTO room_memberships SELECT event_id, room_id, stream_ordering FROM events;
    INSERT INTO event_forward_extremities VALUES ('$a2', '!a'), ('$b1', '!b');
    INSERT INTO event_auth_chains VALUES ('$a1', 1, 1), ('$a2', 1, 2), ('$b1', 2, 1);
    INSERT INTO event_auth_chain_links VALUES (1, 2), (2, 1), (1, 3);
    INSERT INTO room_aliases VALUES ('#a', '!a'), ('#b', '!b');
    INSERT INTO room_alias_servers VALUES ('#a'), ('#a'), ('#b');
    INSERT INTO state_groups VALUES (1, '!a'), (2, '!b');
    INSERT INTO state_groups_state VALUES (1, '!a'), (2, '!b');
    INSERT INTO state_group_edges VALUES (1), (2);
    INSERT INTO blocked_rooms VALUES ('!a');)");
  const auto run = [this](auto statement, const std::string& value) {
    auto work = [&](Transaction& transaction) -> core::Result<void> {
      auto here = room_tables_here(transaction, 94);
      for (const RoomTable* table : here->deletion) {
        const std::string sql = statement(*table);
        if (sql.empty()) continue;
        if (auto deleted = transaction.exec(sql, {bind_array({value})}); !deleted) return core::fail(deleted.error());
      }
      return {};
    };
    auto done = test::run(io, session->transaction(std::move(work)));
    ASSERT_TRUE(done) << core::describe(done.error());
  };
  const auto count = [this](const std::string& table) { return database->sql().value("SELECT count(*) FROM " + table); };
  // The newest event of !a with all that hangs on it.
  run([](const RoomTable& table) { return table.event.empty() && table.key != RoomKey::auth_chain ? std::string() : delete_by_events(table); }, "$a2");
  for (const char* table : {"events", "event_json", "event_edges", "event_labels", "room_memberships", "event_auth_chains", "event_auth_chain_links"})
    EXPECT_EQ(count(table), "2") << table;
  EXPECT_EQ(count("event_forward_extremities"), "1");
  EXPECT_EQ(count("rooms"), "2");
  run([](const RoomTable& table) { return delete_by_rooms(table); }, "!a");
  for (const char* table : {"rooms", "events", "event_json", "event_edges", "event_labels", "room_memberships", "event_forward_extremities",
                            "event_auth_chains", "room_aliases", "room_alias_servers", "state_groups", "state_groups_state", "state_group_edges"})
    EXPECT_EQ(count(table), "1") << table;
  EXPECT_EQ(count("event_auth_chain_links"), "2") << "(1, 3) belongs to no event of the room";
  EXPECT_EQ(count("blocked_rooms"), "1") << "a purged room stays blocked";
}

}  // namespace
}  // namespace steward::db
