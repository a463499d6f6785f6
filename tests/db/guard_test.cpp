// Locks between bots, the right database, the schema gate, running backups.
#include "db/guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <thread>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "core/log.hpp"

namespace steward::db {
namespace {

using core::Code;
using core::EventId;
using core::UserId;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A cut of Synapse's schema 94: names, keys and what the guards read.
constexpr const char* synapse_tables = R"(
CREATE TABLE schema_version (lock char(1) DEFAULT 'X' PRIMARY KEY, version integer NOT NULL, upgraded boolean NOT NULL);
CREATE TABLE schema_compat_version (lock char(1) DEFAULT 'X' PRIMARY KEY, compat_version integer NOT NULL);
CREATE TABLE background_updates (update_name text, progress_json text, depends_on text, ordering integer NOT NULL DEFAULT 0);
CREATE TABLE rooms (room_id text PRIMARY KEY);
CREATE TABLE events (event_id text UNIQUE, room_id text, sender text, stream_ordering bigint UNIQUE);
CREATE TABLE event_json (event_id text);
CREATE TABLE event_edges (event_id text REFERENCES events (event_id));
CREATE TABLE event_forward_extremities (event_id text, room_id text);
CREATE TABLE event_to_state_groups (event_id text, state_group bigint);
CREATE TABLE room_memberships (event_id text, event_stream_ordering bigint REFERENCES events (stream_ordering));
CREATE TABLE local_current_membership (room_id text);
CREATE TABLE current_state_events (event_id text);
CREATE TABLE room_aliases (room_alias text);
CREATE TABLE room_stats_current (room_id text);
CREATE TABLE room_stats_state (room_id text);
CREATE TABLE state_groups (id bigint, room_id text);
CREATE TABLE state_groups_state (state_group bigint);
CREATE TABLE state_group_edges (state_group bigint);
CREATE TABLE local_media_repository (media_id text);
CREATE TABLE remote_media_cache (media_id text);
CREATE TABLE users (name text);
CREATE TABLE devices (user_id text, device_id text);
CREATE TABLE event_txn_id_device_id (event_id text REFERENCES events (event_id) ON DELETE CASCADE, room_id text, user_id text,
  device_id text, txn_id text);
CREATE TABLE sliding_sync_joined_rooms_to_recalculate (room_id text REFERENCES rooms (room_id));
INSERT INTO schema_version VALUES ('X', 94, true);
INSERT INTO schema_compat_version VALUES ('X', 84);
)";

class GuardTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    core::set_log_level(core::LogLevel::warning);
    database.emplace();
    database->sql().exec(synapse_tables);
    first.emplace(io.get_executor(), options("first"));
    second.emplace(io.get_executor(), options("second"));
  }
  void TearDown() override {
    first.reset();
    second.reset();
    database.reset();
  }
  SessionOptions options(const std::string& name) {
    SessionOptions given;
    given.name = name;
    given.connection = core::Secret(database->connection());
    return given;
  }
  template <class T>
  core::Result<T> call(boost::asio::awaitable<core::Result<T>> coroutine) {
    return test::run(io, std::move(coroutine));
  }
  SchemaState schema() {
    auto state = call(schema_state(*first));
    if (!state) throw std::runtime_error(core::describe(state.error()));
    return *state;
  }
  core::Error refusal() {
    auto allowed = allows_destruction(schema());
    return allowed ? core::Error{Code::internal, "it is allowed", "", "", ""} : allowed.error();
  }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<Session> first, second;
};

TEST_F(GuardTest, OneLeaderAndTheSecondLearnsWhoItIs) {
  ASSERT_TRUE(call(take_leader(*first)));
  EXPECT_TRUE(call(take_leader(*first))) << "it is the same one";
  auto refused = call(take_leader(*second));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_THAT(refused.error().why, HasSubstr("synapse-steward first, process " + std::to_string(first->backend_pid())));
  EXPECT_THAT(refused.error().why, HasSubstr("127.0.0.1, since 20"));
  EXPECT_TRUE(call(take_writer(*second))) << "another lock";
  first.reset();
  EXPECT_TRUE(call(take_leader(*second))) << "free as soon as the first is gone";
}

TEST_F(GuardTest, AKilledLeaderIsToldAndItsSuccessorGetsTheLock) {
  bool told = false;
  SessionOptions given = options("doomed");
  given.on_lost = [&told](const core::Error&) { told = true; };
  Session doomed(io.get_executor(), given);
  ASSERT_TRUE(call(take_leader(doomed)));
  database->kill_backend(doomed.backend_pid());
  EXPECT_TRUE(call(take_leader(*second)));
  EXPECT_EQ(call(doomed.query("SELECT 1")).error().code, Code::unavailable) << "no work without the lock";
  EXPECT_EQ(call(doomed.query("SELECT 1")).error().code, Code::unavailable);
  io.restart();
  io.poll();
  EXPECT_TRUE(told);
  EXPECT_EQ(call(take_leader(doomed)).error().code, Code::conflict);
  EXPECT_TRUE(call(doomed.query("SELECT 1"))) << "it knows now that it is not the leader";
}

TEST_F(GuardTest, WriterIsHeldReleasedAndLost) {
  EXPECT_EQ(call(holds_writer(*first)), false);
  ASSERT_TRUE(call(take_writer(*first)));
  ASSERT_TRUE(call(take_writer(*first)));
  EXPECT_EQ(call(holds_writer(*first)), true);
  EXPECT_EQ(call(holds_writer(*second)), false);
  EXPECT_EQ(call(take_writer(*second)).error().code, Code::conflict);
  ASSERT_TRUE(call(release_writer(*first)));
  EXPECT_EQ(call(holds_writer(*first)), false) << "one release is enough";
  ASSERT_TRUE(call(take_writer(*second)));
  database->kill_backend(second->backend_pid());
  EXPECT_EQ(call(holds_writer(*second)).error().code, Code::unavailable);
  EXPECT_TRUE(call(take_writer(*first)));
  EXPECT_TRUE(call(release_writer(*second))) << "the server did it";
  EXPECT_EQ(call(holds_writer(*second)), false);
}

TEST_F(GuardTest, AnotherDatabaseOfTheClusterIsAnotherLock) {
  test::TestDatabase elsewhere;
  ASSERT_TRUE(call(take_writer(*first)));
  SessionOptions given = options("elsewhere");
  given.connection = core::Secret(elsewhere.connection());
  Session other(io.get_executor(), given);
  EXPECT_EQ(call(holds_writer(other)), false);
  EXPECT_TRUE(call(take_writer(other)));
}

TEST_F(GuardTest, RecognisesEventsAndTheirSenders) {
  database->sql().exec("INSERT INTO rooms VALUES ('!r')");
  database->sql().exec("INSERT INTO events VALUES ('$own', '!r', '@a:hs', 1), ('$masked', '!r', '@a:hs', 2)");
  database->sql().exec("INSERT INTO event_txn_id_device_id VALUES ('$own', '!r', '@a:hs', 'DEV', 't')");
  EXPECT_EQ(call(has_event(*first, EventId("$own"))), true);
  EXPECT_EQ(call(has_event(*first, EventId("$nowhere"))), false);
  EXPECT_EQ(call(sent_by_own_device(*first, EventId("$own"), UserId("@a:hs"))), true);
  EXPECT_EQ(call(sent_by_own_device(*first, EventId("$own"), UserId("@b:hs"))), false);
  EXPECT_EQ(call(sent_by_own_device(*first, EventId("$masked"), UserId("@a:hs"))), false);
  database->sql().exec("UPDATE events SET sender = '@b:hs' WHERE event_id = '$own'");
  EXPECT_EQ(call(sent_by_own_device(*first, EventId("$own"), UserId("@a:hs"))), false);
  database->sql().exec("DROP TABLE event_txn_id_device_id; DROP TABLE events CASCADE");
  EXPECT_EQ(call(has_event(*first, EventId("$own"))), false) << "no homeserver's database at all";
}

TEST_F(GuardTest, NamesTheDatabaseWithoutSecrets) {
  auto name = call(database_name(*first));
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, database->name() + " at 127.0.0.1:" + test::parameter_of(database->connection(), "port"));
  auto identity = call(system_identity(*first));
  ASSERT_TRUE(identity) << core::describe(identity.error());
  EXPECT_EQ(identity->system_identifier, database->sql().value("SELECT system_identifier FROM pg_control_system()"));
  EXPECT_GE(identity->timeline, 1);
}

TEST_F(GuardTest, TheKnownSchemaIsAllowed) {
  const SchemaState state = schema();
  EXPECT_EQ(state.version, 94);
  EXPECT_EQ(state.compat_version, 84);
  EXPECT_THAT(state.background_updates, IsEmpty());
  EXPECT_THAT(state.unknown_references, IsEmpty());
  EXPECT_THAT(state.missing_tables, IsEmpty());
  auto allowed = allows_destruction(state);
  EXPECT_TRUE(allowed) << core::describe(allowed.error());
}

TEST_F(GuardTest, VersionsAndRollBackFloor) {
  auto with = [](int version, int compat) {
    SchemaState state;
    state.version = version;
    state.compat_version = compat;
    return allows_destruction(state);
  };
  EXPECT_TRUE(with(oldest_supported_schema, 73));
  EXPECT_TRUE(with(newest_known_schema + 3, newest_known_schema)) << "newer, but made for programs like ours";
  EXPECT_FALSE(with(newest_known_schema + 3, newest_known_schema + 1));
  EXPECT_FALSE(with(oldest_supported_schema - 1, 60));
  EXPECT_FALSE(with(0, 0));
}

TEST_F(GuardTest, AnUnknownTableThatPointsAtRoomsOrEventsRefuses) {
  database->sql().exec("CREATE TABLE room_stickers (room_id text REFERENCES rooms (room_id))");
  EXPECT_THAT(schema().unknown_references, ElementsAre("room_stickers"));
  EXPECT_THAT(refusal().why, HasSubstr("room_stickers"));
  database->sql().exec("DROP TABLE room_stickers");
  database->sql().exec("CREATE SCHEMA bridge; CREATE TABLE bridge.room_memberships (e text REFERENCES events (event_id))");
  EXPECT_THAT(schema().unknown_references, ElementsAre("room_memberships")) << "a known name in another schema is unknown";
}

TEST_F(GuardTest, ForeignTablesWithoutAReferenceDoNotMatter) {
  database->sql().exec("CREATE TABLE state_compressor_state (room_id text)");
  EXPECT_TRUE(allows_destruction(schema()));
}

TEST_F(GuardTest, PendingWorkOfSynapseRefuses) {
  database->sql().exec("INSERT INTO background_updates VALUES ('second_one', '{}', NULL, 9402), ('first_one', '{}', NULL, 9401)");
  EXPECT_THAT(schema().background_updates, ElementsAre("first_one", "second_one"));
  EXPECT_THAT(refusal().why, HasSubstr("first_one, second_one"));
  database->sql().exec("DELETE FROM background_updates");
  database->sql().exec("INSERT INTO rooms VALUES ('!r'); INSERT INTO sliding_sync_joined_rooms_to_recalculate VALUES ('!r')");
  EXPECT_THAT(refusal().why, HasSubstr("sliding_sync_joined_rooms_to_recalculate"));
  database->sql().exec("DROP TABLE sliding_sync_joined_rooms_to_recalculate");
  EXPECT_TRUE(allows_destruction(schema())) << "older schemas have no such table";
}

TEST_F(GuardTest, ASplitStateDatabaseIsNamed) {
  database->sql().exec("DROP TABLE state_groups, state_groups_state, state_group_edges");
  EXPECT_THAT(schema().missing_tables, ElementsAre("state_groups", "state_groups_state", "state_group_edges"));
  EXPECT_THAT(refusal().what, HasSubstr("another database"));
}

TEST_F(GuardTest, AnyOtherDatabaseIsRefused) {
  test::TestDatabase empty;
  SessionOptions given = options("empty");
  given.connection = core::Secret(empty.connection());
  Session other(io.get_executor(), given);
  auto state = call(schema_state(other));
  ASSERT_TRUE(state) << core::describe(state.error());
  EXPECT_EQ(state->version, 0);
  auto allowed = allows_destruction(*state);
  ASSERT_FALSE(allowed);
  EXPECT_THAT(allowed.error().what, HasSubstr("not a Synapse database"));
}

TEST_F(GuardTest, SeesADumpThatRuns) {
  EXPECT_THAT(call(running_backups(*first)).value(), IsEmpty());
  {
    test::TestDatabase elsewhere;
    test::PlainConnection other(elsewhere.connection({{"application_name", "pg_dump"}}));
    EXPECT_THAT(call(running_backups(*first)).value(), IsEmpty()) << "of another database";
  }
  test::PlainConnection dump(database->connection({{"application_name", "pg_dump"}}));
  auto found = call(running_backups(*first)).value();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "pg_dump");
  EXPECT_EQ(std::to_string(found[0].pid), dump.value("SELECT pg_backend_pid()"));
  EXPECT_THAT(found[0].since, HasSubstr("UTC"));
  SessionOptions given = options("poor");
  given.connection = core::Secret(database->plain_role());
  Session poor(io.get_executor(), given);
  EXPECT_EQ(call(running_backups(poor)).value().size(), 1u) << "a role without rights sees it too";
}

TEST_F(GuardTest, CancelsThroughTheControlSession) {
  ASSERT_TRUE(call(first->connect()));
  Session control(io.get_executor(), options("control"));
  auto cancel_soon = [&]() -> boost::asio::awaitable<core::Result<Rows>> {
    auto executor = co_await boost::asio::this_coro::executor;
    auto cancel = [&]() -> boost::asio::awaitable<void> {
      auto wait = control.query("SELECT pg_sleep(0.2)");
      auto waited = co_await std::move(wait);
      EXPECT_TRUE(waited);
      auto cancelling = cancel_backend(control, first->backend_pid());
      auto cancelled = co_await std::move(cancelling);
      EXPECT_TRUE(cancelled);
    };
    auto cancelling = cancel();
    boost::asio::co_spawn(executor, std::move(cancelling), [](std::exception_ptr) {});
    auto sleeping = first->query("SELECT pg_sleep(20)");
    co_return co_await std::move(sleeping);
  };
  EXPECT_EQ(call(cancel_soon()).error().code, Code::cancelled);
}

}  // namespace
}  // namespace steward::db
