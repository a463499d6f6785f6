// State groups compressed on a real PostgreSQL: every state equal before and after, told by SQL that knows nothing of the bot's;
// new groups that come meanwhile, groups that go, groups that Synapse is about to delete. The tables are those of Synapse's schema 94.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "commands/state_compression.hpp"
#include "sql/statements.hpp"

namespace steward::commands {
namespace {

using testing::HasSubstr;

constexpr const char* tables = R"(
CREATE TABLE state_groups (id bigint NOT NULL PRIMARY KEY, room_id text NOT NULL, event_id text NOT NULL);
CREATE INDEX state_groups_room_id_idx ON state_groups (room_id);
CREATE TABLE state_group_edges (state_group bigint NOT NULL, prev_state_group bigint NOT NULL);
CREATE INDEX state_group_edges_prev_idx ON state_group_edges (prev_state_group);
CREATE UNIQUE INDEX state_group_edges_unique_idx ON state_group_edges (state_group, prev_state_group);
CREATE TABLE state_groups_state (state_group bigint NOT NULL, room_id text NOT NULL, type text NOT NULL, state_key text NOT NULL, event_id text NOT NULL);
CREATE INDEX state_groups_state_type_idx ON state_groups_state (state_group, type, state_key);
CREATE TABLE state_groups_pending_deletion (sequence_number bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, state_group bigint NOT NULL, insertion_ts bigint NOT NULL);
CREATE UNIQUE INDEX state_groups_pending_deletion_state_group ON state_groups_pending_deletion (state_group);
CREATE TABLE state_groups_persisting (state_group bigint NOT NULL, instance_name text NOT NULL, PRIMARY KEY (state_group, instance_name));
)";

// 400 groups over 60 members in each of two rooms, ids past what a double can hold; a full state every 25 groups; some
// state keys hold quotes and backslashes.
constexpr const char* groups = R"(
DO $$
DECLARE r int; g int; id bigint; room text; first bigint := 9007199254740993;
BEGIN
  FOR r IN 1..2 LOOP
    room := '!room' || r || ':hs.test';
    FOR g IN 1..400 LOOP
      id := first + r * 1000 + g;
      INSERT INTO state_groups VALUES (id, room, '$e' || id);
      IF g % 25 = 1 THEN
        INSERT INTO state_groups_state SELECT id, room, 'm.room.member', '@"u\' || m || '''', '$m' || m || '_' || ((g - m + 60) / 60) FROM generate_series(0, 59) m;
      ELSE
        INSERT INTO state_group_edges VALUES (id, id - 1);
        INSERT INTO state_groups_state VALUES (id, room, 'm.room.member', '@"u\' || g % 60 || '''', '$m' || g % 60 || '_' || ((g - g % 60 + 60) / 60));
      END IF;
    END LOOP;
  END LOOP;
END $$)";

// Another way than the bot's own statement: per group and key the row of the highest group of the chain.
constexpr const char* all_states = R"(
WITH RECURSIVE chain AS (SELECT id AS start, id AS at FROM state_groups
  UNION ALL SELECT c.start, e.prev_state_group FROM chain c, state_group_edges e WHERE e.state_group = c.at),
held AS (SELECT c.start, s.type, s.state_key, (array_agg(s.event_id ORDER BY c.at DESC))[1] AS event_id
  FROM chain c JOIN state_groups_state s ON s.state_group = c.at GROUP BY 1, 2, 3)
SELECT start, count(*), md5(string_agg(type || '|' || state_key || '|' || event_id, ',' ORDER BY type, state_key)) FROM held GROUP BY start ORDER BY start)";

class StateCompressionTest : public testing::Test {
 protected:
  static constexpr std::int64_t first = 9007199254740993 + 1000;
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    database.emplace();
    sql(tables);
    sql(groups);
    db::SessionOptions options;
    options.name = "work";
    options.connection = core::Secret(database->connection());
    options.lock_timeout = std::chrono::milliseconds(300);
    session.emplace(io.get_executor(), options);
    states = sql(all_states);
    ASSERT_EQ(states.size(), 800U);
  }
  void TearDown() override {
    session.reset();
    database.reset();
  }
  test::Cells sql(const std::string& text) { return database->sql().exec(text); }
  std::int64_t count(const std::string& table, const std::string& where = "true") {
    return std::stoll(sql("SELECT count(*) FROM " + table + " WHERE " + where)[0][0]);
  }
  core::Result<std::shared_ptr<RoomState>> read() {
    auto work = [this](db::Transaction& transaction) { return read_state(transaction, room); };
    auto running = session->transaction(work);
    return test::run(io, std::move(running));
  }
  // Small ones, as on a slow server.
  std::vector<Chunk> chunks() {
    const auto read_now = read();
    if (!read_now) throw std::runtime_error(core::describe(read_now.error()));
    state = *read_now;
    const auto compressed = compression::compress(state->groups);
    if (!compressed) throw std::runtime_error(core::describe(compressed.error()));
    gain = compressed->rows_before - compressed->rows_after;
    std::vector<Chunk> all;
    Chunks cut(*state, *compressed);
    for (int time = 0; time < 10; ++time) cut.took(std::chrono::seconds(1));
    while (auto chunk = cut.next()) all.push_back(std::move(*chunk));
    return all;
  }
  core::Result<std::int64_t> write(const Chunk& chunk) {
    auto work = [this, &chunk](db::Transaction& transaction) { return rewrite(transaction, room, chunk, state->groups); };
    auto running = session->transaction(work);
    return test::run(io, std::move(running));
  }
  // Nothing is written: neither rows nor edges differ from before.
  void expect_refused(const Chunk& chunk, const std::string& why) {
    const auto before = sql("SELECT * FROM state_groups_state ORDER BY 1, 3, 4, 5"), edges = sql("SELECT * FROM state_group_edges ORDER BY 1, 2");
    const auto written = write(chunk);
    ASSERT_FALSE(written);
    EXPECT_THAT(core::describe(written.error()), HasSubstr(why));
    EXPECT_EQ(sql("SELECT * FROM state_groups_state ORDER BY 1, 3, 4, 5"), before);
    EXPECT_EQ(sql("SELECT * FROM state_group_edges ORDER BY 1, 2"), edges);
  }

  const std::string room = "!room1:hs.test";
  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<db::Session> session;
  test::Cells states;
  std::shared_ptr<RoomState> state;
  std::int64_t gain = 0;
};

TEST_F(StateCompressionTest, EveryStateIsEqualAndOnlyThisRoomIsTouched) {
  const std::int64_t rows = count("state_groups_state"), others = count("state_groups_state", "room_id = '!room2:hs.test'");
  std::int64_t fewer = 0;
  const auto all = chunks();
  EXPECT_GE(all.size(), 2U);
  for (const Chunk& chunk : all) {
    const auto written = write(chunk);
    ASSERT_TRUE(written) << core::describe(written.error());
    fewer += *written;
    EXPECT_EQ(sql(all_states), states);
  }
  EXPECT_GT(fewer, 0);
  EXPECT_EQ(fewer, gain);
  EXPECT_EQ(count("state_groups_state"), rows - fewer);
  EXPECT_EQ(count("state_groups_state", "room_id = '!room2:hs.test'"), others);
  EXPECT_LE(count("state_groups_state", "room_id = '!room1:hs.test'"), 60 + 400 * 2) << "one full state, and each change about twice";
  // Synapse counts from the newest group: past 100 steps it would store the next in full.
  EXPECT_LE(std::stoll(sql("WITH RECURSIVE chain(at, steps) AS (SELECT max(id), 0 FROM state_groups WHERE room_id = '!room1:hs.test' UNION ALL "
                           "SELECT e.prev_state_group, c.steps + 1 FROM chain c JOIN state_group_edges e ON e.state_group = c.at) SELECT max(steps) FROM chain")[0][0]), 100);
  EXPECT_EQ(count("state_group_edges e", "NOT EXISTS (SELECT 1 FROM state_groups g WHERE g.id = e.prev_state_group) OR e.prev_state_group >= e.state_group"), 0);
  EXPECT_EQ(count("(SELECT state_group FROM state_group_edges GROUP BY 1 HAVING count(*) > 1) d"), 0);
  EXPECT_TRUE(chunks().empty());
}

TEST_F(StateCompressionTest, AfterAStopTheRestIsFoundAnew) {
  const auto all = chunks();
  const std::int64_t wanted = gain;
  const auto first_part = write(all.front());
  ASSERT_TRUE(first_part);
  std::int64_t fewer = *first_part;
  const auto rest = chunks();
  EXPECT_EQ(rest.size(), all.size() - 1);
  for (const Chunk& chunk : rest) fewer += write(chunk).value_or(0);
  EXPECT_EQ(fewer, wanted);
  EXPECT_EQ(sql(all_states), states);
}

TEST_F(StateCompressionTest, ANewGroupOnTopMeanwhileKeepsItsState) {
  const auto all = chunks();
  for (std::size_t index = 0; index < all.size(); ++index) {
    // On the newest, as Synapse does, and on one that the next chunk rewrites.
    const std::string id = std::to_string(first + 2500 + static_cast<std::int64_t>(index) * 2), other = std::to_string(std::stoll(id) + 1);
    sql("INSERT INTO state_groups VALUES (" + id + ", '!room1:hs.test', '$new'), (" + other + ", '!room1:hs.test', '$new')");
    sql("INSERT INTO state_group_edges VALUES (" + id + ", " + std::to_string(first + 400) + "), (" + other + ", " + all[index].groups.front() + ")");
    sql("INSERT INTO state_groups_state VALUES (" + id + ", '!room1:hs.test', 'm.room.topic', '', '$t" + id + "')");
    sql("INSERT INTO state_groups_state VALUES (" + other + ", '!room1:hs.test', 'm.room.topic', '', '$t" + other + "')");
    const auto before = sql(all_states);
    ASSERT_TRUE(write(all[index]));
    EXPECT_EQ(sql(all_states), before);
  }
}

TEST_F(StateCompressionTest, WhatChangedSinceItWasReadIsLeftAlone) {
  const Chunk chunk = chunks().front();
  sql("INSERT INTO state_groups_state VALUES (" + chunk.groups.front() + ", '!room1:hs.test', 'm.room.topic', '', '$t')");
  expect_refused(chunk, "other rows than were read");
}

TEST_F(StateCompressionTest, AStateThatWouldBeAnotherIsTakenBack) {
  Chunk chunk = chunks().front();
  chunk.events.front() = "$wrong";
  expect_refused(chunk, "a state would be another one");
}

TEST_F(StateCompressionTest, GroupsThatSynapseUsesOrDeletesAreLeftAlone) {
  const Chunk chunk = chunks().front();
  sql("INSERT INTO state_groups_pending_deletion (state_group, insertion_ts) VALUES (" + chunk.predecessors.front() + ", 1)");
  expect_refused(chunk, "Synapse uses or deletes");
  const auto again = read();
  ASSERT_TRUE(again);
  for (const auto& group : (**again).groups.groups())
    if (std::to_string(group.id) == chunk.predecessors.front()) {
      EXPECT_TRUE(group.fixed);
    }
  sql("DELETE FROM state_groups_pending_deletion");
  sql("INSERT INTO state_groups_persisting VALUES (" + chunk.groups.front() + ", 'master')");
  expect_refused(chunk, "Synapse uses or deletes");
  sql("DELETE FROM state_groups_persisting");
  EXPECT_TRUE(write(chunk));
}

TEST_F(StateCompressionTest, ADeletionThatHasBegunMakesItWaitAndGiveUp) {
  const Chunk chunk = chunks().front();
  test::PlainConnection synapse(database->connection());
  synapse.exec("BEGIN; SELECT id FROM state_groups WHERE id = " + chunk.predecessors.front() + " FOR UPDATE");
  const auto written = write(chunk);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, core::Code::timeout);
  EXPECT_EQ(sql(all_states), states);
  synapse.exec("ROLLBACK");
}

// The race of Synapse's deletion, which decides in REPEATABLE READ: after our commit it must not go on.
TEST_F(StateCompressionTest, ADeletionMarkedMeanwhileFailsToSerialize) {
  const Chunk chunk = chunks().front();
  const std::string predecessor = chunk.predecessors.front();
  test::PlainConnection synapse(database->connection());
  // The group is marked after our look and before our bump: the look is done by hand here.
  auto work = [&](db::Transaction& transaction) -> core::Result<int> {
    sql("INSERT INTO state_groups_pending_deletion (state_group, insertion_ts) VALUES (" + predecessor + ", 1)");
    synapse.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM state_group_edges");
    auto bumped = transaction.exec(db::sql::state_bump, {{"groups", db::bind_array(chunk.needed)}});
    if (!bumped) return core::fail(bumped.error());
    return static_cast<int>(transaction.affected());
  };
  auto running = session->transaction(work);
  const auto bumped = test::run(io, std::move(running));
  ASSERT_TRUE(bumped);
  EXPECT_EQ(*bumped, 1);
  try {
    synapse.exec("SELECT * FROM state_groups_pending_deletion WHERE state_group = " + predecessor + " FOR UPDATE");
    ADD_FAILURE() << "the deletion went on";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("could not serialize access"));
  }
}

TEST_F(StateCompressionTest, OnlyWhatIsInTheWayIsLeftOut) {
  const auto read_now = read();
  ASSERT_TRUE(read_now);
  state = *read_now;
  const auto compressed = compression::compress(state->groups);
  ASSERT_TRUE(compressed);
  Chunks cut(*state, *compressed);
  auto chunk = cut.next();
  ASSERT_TRUE(chunk);
  const std::size_t all = chunk->groups.size();
  ASSERT_GT(all, 3U);
  const std::string busy = chunk->groups[1];
  sql("INSERT INTO state_groups_persisting VALUES (" + busy + ", 'master')");
  std::size_t refused = 0, written = 0;
  ASSERT_FALSE(write(*chunk));
  ASSERT_TRUE(cut.again_by_one());
  while ((chunk = cut.next())) {
    if (write(*chunk)) {
      written += chunk->groups.size();
      EXPECT_THAT(chunk->needed, testing::Not(testing::Contains(busy)));
    } else {
      EXPECT_THAT(chunk->needed, testing::Contains(busy));
      EXPECT_FALSE(cut.again_by_one());
      ++refused;
    }
  }
  EXPECT_GE(refused, 1U);
  EXPECT_EQ(written + refused, compressed->changed.size());
  EXPECT_EQ(sql(all_states), states);
}

// A page of the reading ends in the middle of a group's rows.
TEST_F(StateCompressionTest, GroupsLargerThanAPageAreReadWhole) {
  const std::string id = std::to_string(first + 900);
  sql("INSERT INTO state_groups VALUES (" + id + ", '!room1:hs.test', '$large')");
  sql("INSERT INTO state_groups_state SELECT " + id + ", '!room1:hs.test', 'm.room.member', '@large' || n, '$l' || n FROM generate_series(1, 12000) n");
  const auto read_now = read();
  ASSERT_TRUE(read_now) << core::describe(read_now.error());
  const auto& found = (**read_now).groups;
  EXPECT_EQ(found.groups().size(), 401U);
  EXPECT_EQ(found.groups().back().row_count, 12000U);
  EXPECT_EQ(found.row_count(), count("state_groups_state", "room_id = '!room1:hs.test'"));
}

// The known tool keeps the heads of its levels in tables of its own and stumbles over deleted ones (its open issues); here
// everything is read anew, so that a group which is gone is simply not there.
TEST_F(StateCompressionTest, ADeletedGroupBetweenTwoRunsIsNotMissed) {
  for (const Chunk& chunk : chunks()) ASSERT_TRUE(write(chunk));
  // As Synapse deletes: what is built on it becomes a full state, then it goes.
  const std::string gone = sql("SELECT e.prev_state_group FROM state_group_edges e GROUP BY 1 HAVING count(*) > 1 AND min(state_group) < " + std::to_string(first + 1000) + " ORDER BY 1 DESC LIMIT 1")[0][0];
  for (const auto& dependent : sql("SELECT state_group FROM state_group_edges WHERE prev_state_group = " + gone)) {
    const std::string& id = dependent[0];
    sql("WITH RECURSIVE chain(at) AS (SELECT " + id + "::bigint UNION ALL SELECT e.prev_state_group FROM chain c JOIN state_group_edges e ON e.state_group = c.at), "
        "held AS (SELECT DISTINCT ON (type, state_key) type, state_key, event_id FROM chain JOIN state_groups_state ON state_group = at ORDER BY type, state_key, at DESC) "
        "INSERT INTO state_groups_state SELECT " + id + ", '!room1:hs.test', type, state_key, event_id FROM held h "
        "WHERE NOT EXISTS (SELECT 1 FROM state_groups_state s WHERE s.state_group = " + id + " AND s.type = h.type AND s.state_key = h.state_key)");
    sql("DELETE FROM state_group_edges WHERE state_group = " + id);
  }
  for (const char* table : {"state_groups_state WHERE state_group", "state_group_edges WHERE state_group", "state_groups WHERE id"}) sql(std::string("DELETE FROM ") + table + " = " + gone);
  const auto left = sql(all_states);
  EXPECT_EQ(left.size(), states.size() - 1);
  const auto again = chunks();
  EXPECT_FALSE(again.empty());
  for (const Chunk& chunk : again) {
    const auto written = write(chunk);
    ASSERT_TRUE(written) << core::describe(written.error());
  }
  EXPECT_EQ(sql(all_states), left);
}

TEST_F(StateCompressionTest, ACircleOrAMissingGroupIsRefusedByName) {
  sql("INSERT INTO state_group_edges VALUES (" + std::to_string(first + 1) + ", " + std::to_string(first + 3) + ")");
  const auto circle = read();
  ASSERT_FALSE(circle);
  EXPECT_EQ(circle.error().code, core::Code::conflict);
  EXPECT_THAT(core::describe(circle.error()), HasSubstr("in a circle: " + std::to_string(first + 1)));
  sql("UPDATE state_group_edges SET prev_state_group = 77 WHERE state_group = " + std::to_string(first + 1));
  const auto missing = read();
  ASSERT_FALSE(missing);
  EXPECT_THAT(core::describe(missing.error()), HasSubstr("is built on 77, which is missing"));
}

TEST_F(StateCompressionTest, GroupsThatMakeNoSenseAreRefusedByName) {
  sql("INSERT INTO state_group_edges VALUES (" + std::to_string(first + 5) + ", " + std::to_string(first + 2) + ")");
  const auto twice = read();
  ASSERT_FALSE(twice);
  EXPECT_THAT(core::describe(twice.error()), HasSubstr("State group " + std::to_string(first + 5) + " is there twice"));
}

}  // namespace
}  // namespace steward::commands
