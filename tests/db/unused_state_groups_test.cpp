// Which state groups are used by nothing, on a real PostgreSQL: chains, branches, circles, marks, writes under way, pages. The
// tables are those of Synapse's schema 94.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "commands/unused_state_groups.hpp"
#include "sql/statements.hpp"

namespace steward::commands {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* tables = R"(
CREATE TABLE state_groups (id bigint NOT NULL PRIMARY KEY, room_id text NOT NULL, event_id text NOT NULL);
CREATE TABLE state_group_edges (state_group bigint NOT NULL, prev_state_group bigint NOT NULL);
CREATE INDEX state_group_edges_prev_idx ON state_group_edges (prev_state_group);
CREATE TABLE state_groups_state (state_group bigint NOT NULL, room_id text NOT NULL, type text NOT NULL, state_key text NOT NULL, event_id text NOT NULL);
CREATE INDEX state_groups_state_type_idx ON state_groups_state (state_group, type, state_key);
CREATE TABLE event_to_state_groups (event_id text NOT NULL UNIQUE, state_group bigint NOT NULL);
CREATE INDEX event_to_state_groups_sg_index ON event_to_state_groups (state_group);
CREATE TABLE state_groups_pending_deletion (sequence_number bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, state_group bigint NOT NULL, insertion_ts bigint NOT NULL);
CREATE UNIQUE INDEX state_groups_pending_deletion_state_group ON state_groups_pending_deletion (state_group);
CREATE TABLE state_groups_persisting (state_group bigint NOT NULL, instance_name text NOT NULL, PRIMARY KEY (state_group, instance_name));
CREATE TABLE rooms (room_id text NOT NULL PRIMARY KEY);
CREATE TABLE events (event_id text NOT NULL UNIQUE);
)";

class UnusedStateGroupsTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    database.emplace();
    sql(tables);
    db::SessionOptions options;
    options.name = "read";
    options.connection = core::Secret(database->connection());
    session.emplace(io.get_executor(), options);
  }
  void TearDown() override {
    session.reset();
    database.reset();
  }
  test::Cells sql(const std::string& text) { return database->sql().exec(text); }
  void group(std::int64_t id, std::int64_t built_on = 0, bool used = false) {
    const std::string text = std::to_string(id);
    sql("INSERT INTO state_groups VALUES (" + text + ", '!r:hs', '$e" + text + "')");
    sql("INSERT INTO state_groups_state VALUES (" + text + ", '!r:hs', 't', 'k', '$e')");
    if (built_on) sql("INSERT INTO state_group_edges VALUES (" + text + ", " + std::to_string(built_on) + ")");
    if (used) sql("INSERT INTO event_to_state_groups VALUES ('$e" + text + "', " + text + ")");
  }
  UnusedStateGroups find(std::chrono::milliseconds allowed = std::chrono::minutes(1)) {
    auto finding = find_unused_state_groups(*session, allowed);
    auto found = test::run(io, std::move(finding));
    if (!found) throw std::runtime_error(core::describe(found.error()));
    return *found;
  }
  db::Row row(const db::Statement& statement, db::Arguments arguments = {}) {
    auto asking = session->query(statement, std::move(arguments));
    auto rows = test::run(io, std::move(asking));
    if (!rows) throw std::runtime_error(core::describe(rows.error()));
    return rows->front();
  }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<db::Session> session;
};

TEST_F(UnusedStateGroupsTest, TheTableOfTheFacts) {
  group(20, 0, true);
  group(108);
  group(109, 108);
  group(110, 109);      // a free chain
  group(111, 20);
  group(112, 111);      // a chain on a used group
  group(113);
  group(114, 113, true);  // unused, but a used group is built on it
  group(115);           // a write under way
  sql("INSERT INTO state_groups_persisting VALUES (115, 'master')");
  const auto found = find();
  EXPECT_THAT(found.unmarked, ElementsAre(108, 109, 110, 111, 112));
  EXPECT_EQ(found.seen, 9);
  EXPECT_TRUE(found.whole);
}

TEST_F(UnusedStateGroupsTest, OneUsedBranchKeepsTheStem) {
  group(1);
  group(2, 1);
  group(3, 2);
  group(4, 2, true);
  group(5, 1);
  EXPECT_THAT(find().unmarked, ElementsAre(3, 5));
}

TEST_F(UnusedStateGroupsTest, MarkedOnesAreCountedApartAndDoNotHoldTheirs) {
  group(1);
  group(2, 1);
  sql("INSERT INTO state_groups_pending_deletion (state_group, insertion_ts) VALUES (2, 1)");
  const auto found = find();
  EXPECT_THAT(found.unmarked, ElementsAre(1));
  EXPECT_EQ(found.marked, 1);
}

TEST_F(UnusedStateGroupsTest, AWriteUnderWayKeepsWhatItIsBuiltOn) {
  group(1);
  group(2, 1);
  sql("INSERT INTO state_groups_persisting VALUES (2, 'master')");
  EXPECT_THAT(find().unmarked, IsEmpty());
}

TEST_F(UnusedStateGroupsTest, LinksThatMakeNoSenseKeepTheirGroups) {
  group(1, 2);
  group(2, 1);         // a circle
  group(3);
  group(4, 4);         // one with itself
  group(6, 5, true);   // its predecessor is missing
  sql("INSERT INTO state_group_edges VALUES (99, 3)");  // from a group that is gone
  EXPECT_THAT(find().unmarked, IsEmpty());
  const db::Row links = row(db::sql::state_check_links);
  EXPECT_EQ(links.integer("missing_predecessors"), 1);
  EXPECT_EQ(links.integer("dangling"), 1);
  EXPECT_EQ(links.integer("upwards"), 2);
  EXPECT_EQ(links.integer("several"), 0);
  sql("INSERT INTO state_group_edges VALUES (6, 1)");
  EXPECT_EQ(row(db::sql::state_check_links).integer("several"), 1);
}

TEST_F(UnusedStateGroupsTest, OverManyPages) {
  sql("INSERT INTO state_groups SELECT n, '!r:hs', '$e' || n FROM generate_series(1, 45000) n");
  sql("INSERT INTO state_group_edges SELECT n, n - 1 FROM generate_series(2, 45000) n WHERE n <> 100");
  sql("INSERT INTO event_to_state_groups VALUES ('$e', 200)");
  auto found = find();
  EXPECT_EQ(found.seen, 45000);
  ASSERT_EQ(found.unmarked.size(), 45000U - 101);  // 100 to 200 carry the used one
  EXPECT_EQ(found.unmarked.front(), 1);
  EXPECT_EQ(found.unmarked[99], 201);
  EXPECT_FALSE(find(std::chrono::milliseconds(0)).whole);
}

TEST_F(UnusedStateGroupsTest, RowsAndFates) {
  for (std::int64_t id = 1; id <= 4; ++id) group(id);
  auto counting = count_state_rows(*session, {1, 2, 3, 4, 5});
  EXPECT_EQ(*test::run(io, std::move(counting)), 4);
  sql("INSERT INTO state_groups_pending_deletion (state_group, insertion_ts) VALUES (1, (extract(epoch FROM now()) * 1000)::bigint), (2, 1), (77, 1)");
  sql("INSERT INTO event_to_state_groups VALUES ('$e2', 2)");
  db::Arguments arguments;
  arguments.emplace_back("groups", bind_groups({1, 2, 3, 9}));
  const db::Row fate = row(db::sql::state_unused_fate, std::move(arguments));
  EXPECT_EQ(fate.integer("present"), 3);
  EXPECT_EQ(fate.integer("used"), 1);
  EXPECT_EQ(fate.integer("waiting"), 1);
  EXPECT_EQ(fate.integer("unmarked"), 1);
  EXPECT_EQ(fate.integer("rows_left"), 3);
  EXPECT_EQ(fate.integer("queue"), 3);
  db::Arguments none;
  none.emplace_back("groups", bind_groups({9}));
  const db::Row gone = row(db::sql::state_unused_fate, std::move(none));
  EXPECT_EQ(gone.integer("present"), 0);
  EXPECT_EQ(gone.integer("waiting"), 0);
  EXPECT_EQ(gone.integer("rows_left"), 0);
}

TEST_F(UnusedStateGroupsTest, TheOtherChecks) {
  EXPECT_EQ(row(db::sql::state_check_queue).integer("marked"), 0);
  group(1, 0, true);
  sql("INSERT INTO state_groups_pending_deletion (state_group, insertion_ts) VALUES (1, 1), (50, 1)");
  sql("INSERT INTO event_to_state_groups VALUES ('$lost', 60), ('$orphan', 61)");
  sql("INSERT INTO events VALUES ('$lost')");
  const db::Row queue = row(db::sql::state_check_queue);
  EXPECT_EQ(queue.integer("marked"), 2);
  EXPECT_EQ(queue.integer("vanished"), 1);
  EXPECT_GT(queue.integer("oldest_seconds"), 1000000);
  EXPECT_EQ(row(db::sql::state_check_events).integer("events_without_state"), 1);
  EXPECT_EQ(row(db::sql::state_check_rooms).integer("of_vanished_rooms"), 1);
  sql("INSERT INTO rooms VALUES ('!r:hs')");
  EXPECT_EQ(row(db::sql::state_check_rooms).integer("of_vanished_rooms"), 0);
}

}  // namespace
}  // namespace steward::commands
