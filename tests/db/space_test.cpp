// analyze, vacuum, reindex and vacuum-full on a real PostgreSQL: what is chosen, what it does, and that nothing else changes.
// Tables by the names Synapse gives them; tests/e2e does the same on Synapse's own schema.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "async/tasks.hpp"
#include "commands/maintenance.hpp"
#include "commands/reindex.hpp"
#include "commands/room_deletion.hpp"
#include "commands/space.hpp"
#include "commands/vacuum.hpp"
#include "core/log.hpp"

namespace steward::commands {
namespace {

using boost::asio::awaitable;
using jobs::ItemOutcome;
using State = ItemOutcome::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* tables = R"(
CREATE TABLE schema_version (lock char(1) UNIQUE, version integer);
CREATE TABLE events (event_id text PRIMARY KEY, room_id text, body text) WITH (autovacuum_enabled = off);
CREATE INDEX events_room ON events (room_id, event_id);
CREATE TABLE rooms (room_id text PRIMARY KEY);
CREATE TABLE "odd ""name; DROP TABLE rooms" (id integer PRIMARY KEY);
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.events (id integer PRIMARY KEY);
CREATE TABLE elsewhere.other (id integer PRIMARY KEY);
)";
constexpr const char* rows = R"(
INSERT INTO events SELECT '$' || n, '!' || n % 10, repeat('x', 200) FROM generate_series(1, 20000) n;
INSERT INTO rooms SELECT '!' || n FROM generate_series(0, 9) n;
DELETE FROM events WHERE right(event_id, 1) <> '7';
)";

class SpaceTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    core::set_log_level(core::LogLevel::error);
    database.emplace();
    database->sql().exec(tables);
    // On a connection of its own: its counts of dead rows are reported at the latest when it ends.
    test::PlainConnection(database->connection()).exec(rows);
    database->sql().exec("ANALYZE events, rooms");
    connect(database->connection());
  }
  void connect(const std::string& as) {
    control.reset();
    work.reset();
    db::SessionOptions options;
    options.name = "work";
    options.connection = core::Secret(as);
    work.emplace(io.get_executor(), options);
    options.name = "control";
    control.emplace(io.get_executor(), options);
    store.emplace(*control);
    progress.emplace(io.get_executor(), 1, *store, jobs::Progress::Hooks());
    maintenance.emplace(io.get_executor(), *work, *control, *progress);
  }
  void TearDown() override {
    control.reset();
    work.reset();
    database.reset();
  }
  std::string value(const std::string& sql) { return database->sql().value(sql); }
  template <class T>
  T in_transaction(std::function<core::Result<T>(db::Transaction&)> read) {
    auto running = work->transaction(std::move(read));
    auto found = test::run(io, std::move(running));
    if (!found) throw std::runtime_error(core::describe(found.error()));
    return std::move(*found);
  }
  std::vector<SpaceTable> all_tables(const std::string& name = "") {
    return in_transaction<std::vector<SpaceTable>>([name](db::Transaction& transaction) { return read_tables(transaction, name); });
  }
  std::vector<SpaceIndex> all_indexes(const std::string& table) {
    return in_transaction<std::vector<SpaceIndex>>([table](db::Transaction& transaction) { return read_indexes(transaction, table, ""); });
  }
  db::ItemRow item(const std::string& kind, const std::string& target, const std::string& note = "") {
    db::ItemRow row;
    row.kind = kind;
    row.target = target;
    row.note = note;
    return row;
  }
  ItemOutcome vacuum(VacuumWay way, const std::string& table) {
    VacuumWork worker(way, *maintenance);
    auto acting = worker.act(item("table", table, value("SELECT relfilenode FROM pg_class WHERE relname = '" + table + "' LIMIT 1")));
    return test::run(io, std::move(acting));
  }
  ItemOutcome reindex(const std::string& kind, const std::string& name, bool settle = false, const std::string& note = "") {
    ReindexWork worker(*maintenance);
    auto acting = settle ? worker.settle(item(kind, name, note)) : worker.act(item(kind, name, note));
    return test::run(io, std::move(acting));
  }
  // Everything but the named tables: files, rows. It must not change.
  std::string rest(const std::string& but) {
    return value("SELECT string_agg(oid::text || ':' || relname || ':' || relfilenode, ',' ORDER BY oid) FROM pg_class "
                 "WHERE relkind IN ('r', 'i') AND relnamespace IN ('public'::regnamespace, 'elsewhere'::regnamespace) AND relname NOT LIKE '" + but + "'");
  }
  std::string contents() { return value("SELECT md5(string_agg(e::text, ',' ORDER BY event_id)) FROM events e"); }
  void invalid_index(const std::string& name) {
    database->sql().exec("CREATE INDEX \"" + name + "\" ON events (room_id)");
    database->sql().exec("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"" + name + "\"'::regclass");
  }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<db::Session> work, control;
  std::optional<db::JobStore> store;
  std::optional<jobs::Progress> progress;
  std::optional<Maintenance> maintenance;
};

TEST_F(SpaceTest, OnlyTablesOfSynapsesSchemaAndNamesQuotedByTheServer) {
  std::vector<std::string> names;
  for (const SpaceTable& table : all_tables()) names.push_back(table.name);
  EXPECT_THAT(names, ElementsAre("events", "odd \"name; DROP TABLE rooms", "rooms", "schema_version"));
  EXPECT_TRUE(all_tables("other").empty());
  EXPECT_TRUE(all_tables("events; DROP TABLE rooms").empty());
  ASSERT_EQ(all_tables("events").size(), 1U);
  EXPECT_EQ(all_tables("events").front().quoted, "public.events");
  EXPECT_EQ(vacuum(VacuumWay::vacuum, "odd \"name; DROP TABLE rooms").state, State::done);
  EXPECT_EQ(value("SELECT count(*) FROM rooms"), "10");
}

TEST_F(SpaceTest, AMissingNameIsAnsweredWithTheNearest) {
  const auto error = in_transaction<core::Error>([](db::Transaction& transaction) { return no_such_name(transaction, "evnts", false); });
  EXPECT_EQ(error.code, core::Code::not_found);
  EXPECT_THAT(error.next, HasSubstr("events"));
  EXPECT_THAT(error.next, testing::Not(HasSubstr("events_room")));
  const auto index = in_transaction<core::Error>([](db::Transaction& transaction) { return no_such_name(transaction, "events_rooms", true); });
  EXPECT_THAT(index.next, HasSubstr("events_room"));
}

TEST_F(SpaceTest, AnalyzeRefreshesOneTable) {
  database->sql().exec("DELETE FROM rooms");
  const std::string before = rest("");
  const ItemOutcome outcome = vacuum(VacuumWay::analyze, "rooms");
  EXPECT_EQ(outcome.state, State::done) << outcome.text;
  EXPECT_EQ(all_tables("rooms").front().rows, 0);
  EXPECT_EQ(rest(""), before);
}

TEST_F(SpaceTest, VacuumRemovesDeadRowsAndLeavesTheFiles) {
  const std::string files = rest("");
  for (int tries = 0; tries < 50 && all_tables("events").front().dead == 0; ++tries) value("SELECT pg_sleep(0.1)");
  EXPECT_GT(all_tables("events").front().dead, 1000);
  const ItemOutcome outcome = vacuum(VacuumWay::vacuum, "events");
  EXPECT_EQ(outcome.state, State::done) << outcome.text;
  EXPECT_GT(outcome.rows, 1000);
  EXPECT_THAT(outcome.notice, HasSubstr("dead rows removed"));
  EXPECT_EQ(all_tables("events").front().dead, 0);
  // Not read before: whoever reads a page clears it of dead rows by the way.
  EXPECT_EQ(contents(), value("SELECT md5(string_agg(e::text, ',' ORDER BY event_id)) FROM (SELECT '$' || n AS event_id, '!' || n % 10, "
                              "repeat('x', 200) FROM generate_series(7, 20000, 10) n) AS e"));
  EXPECT_EQ(rest(""), files);
}

TEST_F(SpaceTest, VacuumFullShrinksThatTableAndNothingElse) {
  const std::string contents_before = contents(), files = rest("events%");
  const SpaceTable before = all_tables("events").front();
  const auto expected = expected_return(before);
  ASSERT_TRUE(expected.has_value());
  const ItemOutcome outcome = vacuum(VacuumWay::full, "events");
  EXPECT_EQ(outcome.state, State::done) << outcome.text;
  const SpaceTable after = all_tables("events").front();
  EXPECT_EQ(outcome.bytes.count, before.total - after.total);
  EXPECT_LT(after.total, before.total * 3 / 4);
  EXPECT_NE(after.filenode, before.filenode);
  // The estimate of the plan: right within a third.
  EXPECT_NEAR(static_cast<double>(expected->count), static_cast<double>(outcome.bytes.count), static_cast<double>(outcome.bytes.count) / 3);
  EXPECT_EQ(contents(), contents_before);
  EXPECT_EQ(rest("events%"), files);
  EXPECT_EQ(value("SELECT count(*) FROM elsewhere.events"), "0");
}

TEST_F(SpaceTest, ARewriteThatCameThroughBeforeTheCrashIsNotDoneAgain) {
  const std::string planned = value("SELECT relfilenode FROM pg_class WHERE oid = 'public.events'::regclass");
  database->sql().exec("VACUUM FULL events");
  const SpaceTable between = all_tables("events").front();
  VacuumWork worker(VacuumWay::full, *maintenance);
  auto settling = worker.settle(item("table", "events", planned));
  EXPECT_EQ(test::run(io, std::move(settling)).state, State::done);
  EXPECT_EQ(all_tables("events").front().filenode, between.filenode);
  // Not come through: it is done now.
  auto again = worker.settle(item("table", "events", std::to_string(between.filenode)));
  EXPECT_EQ(test::run(io, std::move(again)).state, State::done);
  EXPECT_NE(all_tables("events").front().filenode, between.filenode);
}

TEST_F(SpaceTest, WhatIsGoneOrNotOursIsKept) {
  EXPECT_EQ(vacuum(VacuumWay::vacuum, "rooms").state, State::done);
  database->sql().exec("DROP TABLE rooms");
  VacuumWork worker(VacuumWay::vacuum, *maintenance);
  auto acting = worker.act(item("table", "rooms"));
  EXPECT_EQ(test::run(io, std::move(acting)).state, State::kept);
  connect(database->plain_role());
  EXPECT_FALSE(all_tables("events").front().allowed);
  EXPECT_EQ(vacuum(VacuumWay::vacuum, "events").state, State::kept);
  EXPECT_EQ(reindex("index", "events_room").state, State::kept);
}

TEST_F(SpaceTest, ReindexBuildsOneIndexAnew) {
  const std::string others = value("SELECT string_agg(relname || relfilenode, ',' ORDER BY oid) FROM pg_class WHERE relkind IN ('r', 'i') AND relname <> 'events_room'");
  const auto size = [this] { return std::stoll(value("SELECT pg_relation_size('events_room')")); };
  const auto before = size();
  const ItemOutcome outcome = reindex("index", "events_room");
  EXPECT_EQ(outcome.state, State::done) << outcome.text;
  EXPECT_LT(size(), before);
  EXPECT_EQ(outcome.bytes.count, before - size());
  EXPECT_EQ(value("SELECT string_agg(relname || relfilenode, ',' ORDER BY oid) FROM pg_class WHERE relkind IN ('r', 'i') AND relname <> 'events_room'"), others);
  EXPECT_EQ(value("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'public.events'::regclass"), "t");
}

TEST_F(SpaceTest, OnlyInvalidCopiesAreLeftovers) {
  invalid_index("events_room_ccnew");
  invalid_index("events_room_ccold1");
  invalid_index("events_unfinished");
  database->sql().exec("CREATE INDEX fine_ccnew ON events (room_id)");
  std::vector<std::string> found;
  for (const SpaceIndex& index : all_indexes("events"))
    if (index.leftover) found.push_back(index.name);
  EXPECT_THAT(found, ElementsAre("events_room_ccnew", "events_room_ccold1"));
  EXPECT_EQ(reindex("leftover", "events_room_ccnew").state, State::done);
  EXPECT_EQ(reindex("leftover", "events_room_ccnew").state, State::kept) << "gone already";
  EXPECT_EQ(reindex("leftover", "events_unfinished").state, State::kept);
  EXPECT_EQ(reindex("leftover", "fine_ccnew").state, State::kept);
  EXPECT_EQ(value("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'i' AND (relname LIKE '%cc%' OR relname LIKE '%unf%')"),
            "events_room_ccold1,events_unfinished,fine_ccnew");
}

TEST_F(SpaceTest, TheDiskIsKnownWhereTheRoleMaySeeTheFolder) {
  const auto host = in_transaction<SpaceHost>([](db::Transaction& transaction) { return read_host(transaction); });
  EXPECT_TRUE(host.same_host);
  EXPECT_TRUE(disk_of(host, "").known) << host.data_directory;
  connect(database->plain_role());
  const auto hidden = in_transaction<SpaceHost>([](db::Transaction& transaction) { return read_host(transaction); });
  EXPECT_EQ(hidden.data_directory, "");
  EXPECT_FALSE(disk_of(hidden, "").known);
}

class CancelledReindexTest : public SpaceTest {
 protected:
  // A transaction that the rebuild has to wait for; it is cancelled meanwhile. Returns how long the stop took.
  std::chrono::milliseconds cancel_behind(const std::string& statement, ItemOutcome& outcome) {
    test::PlainConnection other(database->connection());
    other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    other.exec(statement);
    ReindexWork worker(*maintenance);
    std::chrono::steady_clock::time_point stopped;
    auto stop = [this, &stopped]() -> awaitable<void> {
      co_await async::sleep_for(std::chrono::milliseconds(1500));
      stopped = std::chrono::steady_clock::now();
      progress->request_stop(jobs::StopReason::cancelled);
    };
    boost::asio::co_spawn(io, stop, [](std::exception_ptr) {});
    auto acting = worker.act(item("index", "events_room"));
    outcome = test::run(io, std::move(acting));
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - stopped);
  }
  std::string invalid() { return value("SELECT coalesce(string_agg(indexrelid::regclass::text, ','), '') FROM pg_index WHERE NOT indisvalid"); }
};

TEST_F(CancelledReindexTest, LeavesNothingBehind) {
  ItemOutcome outcome;
  const auto took = cancel_behind("SELECT count(*) FROM rooms", outcome);
  EXPECT_EQ(outcome.state, State::given_back) << outcome.text;
  EXPECT_LT(took, std::chrono::milliseconds(2000));
  EXPECT_EQ(invalid(), "");
  EXPECT_EQ(value("SELECT count(*) FROM pg_index WHERE indrelid = 'public.events'::regclass"), "2");
}

TEST_F(CancelledReindexTest, WhatALockKeepsIsFoundAndDroppedLater) {
  ItemOutcome outcome;
  const auto took = cancel_behind("SELECT count(*) FROM events", outcome);
  EXPECT_EQ(outcome.state, State::given_back) << outcome.text;
  EXPECT_LT(took, std::chrono::milliseconds(3000));
  ASSERT_EQ(invalid(), "events_room_ccnew");
  connect(database->connection());
  EXPECT_EQ(reindex("leftover", "events_room_ccnew").state, State::done);
  EXPECT_EQ(invalid(), "");
}

TEST(Disk, IsRefusedOnlyWhereItIsKnown) {
  Disk disk;
  EXPECT_TRUE(check_disk(disk, core::Bytes{std::int64_t{1} << 50})) << "not known: the plan says so";
  disk.known = true;
  disk.all.count = std::int64_t{100} << 30;
  disk.free.count = std::int64_t{20} << 30;
  EXPECT_TRUE(check_disk(disk, core::Bytes{std::int64_t{15} << 30}));
  EXPECT_FALSE(check_disk(disk, core::Bytes{(std::int64_t{15} << 30) + 1})) << "a twentieth has to stay";
  SpaceHost host;
  host.data_directory = "/";
  EXPECT_FALSE(disk_of(host, "").known) << "another host";
  host.same_host = true;
  EXPECT_TRUE(disk_of(host, "").known);
  EXPECT_FALSE(disk_of(host, "/nowhere/at/all").known);
  host.data_directory.clear();
  EXPECT_FALSE(disk_of(host, "").known);
  EXPECT_THAT(disk_line(disk_of(host, "")), HasSubstr("not known"));
}

}  // namespace
}  // namespace steward::commands
