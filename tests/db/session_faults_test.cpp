// What happens to a session when the server, the network or another person gets in the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "core/log.hpp"
#include "cutting_proxy.hpp"
#include "db/session.hpp"

namespace steward::db {
namespace {

using core::Code;
using testing::HasSubstr;
using testing::Not;

class SessionFaults : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    core::set_log_level(core::LogLevel::warning);
    database.emplace();
    database->sql().exec("CREATE TABLE t (a int)");
    proxy.emplace(test::parameter_of(database->connection(), "host"), test::parameter_of(database->connection(), "port"));
    session.emplace(io.get_executor(), options());
  }
  void TearDown() override {
    session.reset();
    proxy.reset();
    database.reset();
  }
  SessionOptions options() {
    SessionOptions given;
    given.name = "test";
    given.connection = core::Secret(database->connection(
        {{"host", "127.0.0.1"}, {"port", proxy->port()}, {"sslmode", "disable"}, {"gssencmode", "disable"}}));
    given.connect_timeout = std::chrono::seconds(2);
    given.on_lost = [this](const core::Error& error) { losses.push_back(error); };
    return given;
  }
  core::Result<Rows> query(std::string sql) { return test::run(io, session->query(std::move(sql))); }
  void let_posted_work_run() {
    io.restart();
    io.poll();
  }
  std::string rows() { return database->sql().value("SELECT count(*) FROM t"); }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<test::CuttingProxy> proxy;
  std::vector<core::Error> losses;
  std::optional<Session> session;
};

TEST_F(SessionFaults, ServerDownAtStart) {
  proxy->close();
  const std::string password = test::parameter_of(database->connection(), "password");
  auto down = test::run(io, session->connect());
  ASSERT_FALSE(down);
  EXPECT_EQ(down.error().code, Code::unavailable);
  if (!password.empty()) {
    EXPECT_THAT(core::describe(down.error()), Not(HasSubstr(password)));
  }
  EXPECT_FALSE(session->connected());
  EXPECT_EQ(query("SELECT 1").error().code, Code::unavailable);
  proxy->open();
  EXPECT_TRUE(query("SELECT 1"));
  EXPECT_TRUE(session->connected());
  let_posted_work_run();
  EXPECT_TRUE(losses.empty()) << "nothing that was open got lost";
}

TEST_F(SessionFaults, RestartInTheMiddle) {
  ASSERT_TRUE(query("INSERT INTO t VALUES (1)"));
  proxy->close();
  EXPECT_EQ(query("INSERT INTO t VALUES (2)").error().code, Code::unavailable);
  EXPECT_EQ(query("INSERT INTO t VALUES (3)").error().code, Code::unavailable);
  let_posted_work_run();
  EXPECT_EQ(losses.size(), 1u);
  proxy->open();
  EXPECT_TRUE(query("INSERT INTO t VALUES (4)"));
  EXPECT_EQ(database->sql().value("SELECT string_agg(a::text, ',') FROM t"), "1,4");
}

TEST_F(SessionFaults, KilledWhileIdleIsReplacedBeforeAnythingRan) {
  ASSERT_TRUE(query("SELECT 1"));
  const int before = session->backend_pid();
  database->kill_backend(before);
  auto next = query("INSERT INTO t VALUES (1)");
  EXPECT_TRUE(next) << core::describe(next.error());
  EXPECT_NE(session->backend_pid(), before);
  EXPECT_EQ(rows(), "1");
  let_posted_work_run();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].code, Code::unavailable);
}

TEST_F(SessionFaults, APinnedConnectionIsNeverReplaced) {
  ASSERT_TRUE(query("SELECT 1"));
  session->pin();
  database->kill_backend(session->backend_pid());
  EXPECT_EQ(query("INSERT INTO t VALUES (1)").error().code, Code::unavailable);
  EXPECT_EQ(query("INSERT INTO t VALUES (2)").error().code, Code::unavailable) << "the lock is still gone";
  EXPECT_EQ(test::run(io, session->alone("VACUUM t", std::chrono::seconds(5))).error().code, Code::unavailable);
  EXPECT_EQ(rows(), "0");
  session->unpin();
  EXPECT_TRUE(query("INSERT INTO t VALUES (3)"));
  let_posted_work_run();
  EXPECT_EQ(losses.size(), 1u);
}

TEST_F(SessionFaults, KilledDuringAStatement) {
  ASSERT_TRUE(query("SELECT 1"));
  const int pid = session->backend_pid();
  auto work = [](Transaction& transaction) -> core::Result<Rows> {
    auto inserted = transaction.exec("INSERT INTO t VALUES (1)");
    if (!inserted) return inserted;
    return transaction.exec("SELECT pg_sleep(20)");
  };
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    database->kill_backend(pid);
  });
  auto killed = test::run(io, session->transaction(work));
  killer.join();
  ASSERT_FALSE(killed);
  EXPECT_EQ(killed.error().code, Code::unavailable) << core::describe(killed.error());
  EXPECT_THAT(killed.error().why, HasSubstr("administrator command"));
  EXPECT_FALSE(session->connected());
  EXPECT_EQ(rows(), "0");
  EXPECT_TRUE(query("SELECT 1"));
  let_posted_work_run();
  EXPECT_EQ(losses.size(), 1u);
}

TEST_F(SessionFaults, NetworkCutDuringAStatement) {
  proxy->cut_at("find me", false);
  EXPECT_EQ(query("INSERT INTO t SELECT 1 WHERE 'find me' <> ''").error().code, Code::unavailable);
  EXPECT_EQ(rows(), "0");
  EXPECT_TRUE(query("SELECT 1"));
}

TEST_F(SessionFaults, CutBeforeTheServerSawTheCommit) {
  proxy->cut_at("COMMIT", false);
  auto doubtful = query("INSERT INTO t VALUES (1)");
  ASSERT_FALSE(doubtful);
  EXPECT_EQ(doubtful.error().code, Code::in_doubt);
  EXPECT_THAT(doubtful.error().why, HasSubstr("server closed the connection"));
  EXPECT_TRUE(query("SELECT 1"));
  EXPECT_EQ(rows(), "0");
  EXPECT_EQ(losses.size(), 1u);
}

TEST_F(SessionFaults, CutAfterTheServerSawTheCommit) {
  proxy->cut_at("COMMIT", true);
  auto doubtful = query("INSERT INTO t VALUES (1)");
  ASSERT_FALSE(doubtful);
  EXPECT_EQ(doubtful.error().code, Code::in_doubt);
  EXPECT_TRUE(query("SELECT 1"));
  EXPECT_EQ(rows(), "1") << "committed all the same: this is why the error is not `unavailable`";
}

TEST_F(SessionFaults, AReadHasNothingToDoubt) {
  SessionOptions given = options();
  given.read_only = true;
  Session reader(io.get_executor(), given);
  ASSERT_TRUE(test::run(io, reader.connect()));
  proxy->cut_at("COMMIT", true);
  EXPECT_EQ(test::run(io, reader.query("SELECT 1")).error().code, Code::unavailable);
}

TEST_F(SessionFaults, CancelledByAnotherSession) {
  ASSERT_TRUE(query("SELECT 1"));
  const int pid = session->backend_pid();
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    database->cancel_backend(pid);
  });
  auto cancelled = query("SELECT pg_sleep(20)");
  canceller.join();
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, Code::cancelled);
  EXPECT_TRUE(query("SELECT 1"));
  EXPECT_EQ(session->backend_pid(), pid) << "the connection survives";
  EXPECT_TRUE(losses.empty());
}

TEST_F(SessionFaults, IdleInTransactionTooLong) {
  auto sleeper = [](Transaction& transaction) -> core::Result<Rows> {
    auto set = transaction.exec("SET LOCAL idle_in_transaction_session_timeout = 100");
    if (!set) return set;
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    return transaction.exec("SELECT 1");
  };
  auto late = test::run(io, session->transaction(sleeper));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::unavailable) << core::describe(late.error());
  EXPECT_TRUE(query("SELECT 1"));
}

TEST_F(SessionFaults, TooManyConnections) {
  SessionOptions given = options();
  given.connection = core::Secret(database->plain_role("CONNECTION LIMIT 1"));
  Session first(io.get_executor(), given), second(io.get_executor(), given);
  ASSERT_TRUE(test::run(io, first.connect()));
  auto refused = test::run(io, second.connect());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_THAT(refused.error().why, HasSubstr("too many connections"));
}

TEST_F(SessionFaults, WrongPasswordOrDatabaseShowsNoSecret) {
  SessionOptions given = options();
  given.connection = core::Secret(test::with_parameters(database->connection(), {{"dbname", "no_such_database"}}));
  Session lost_one(io.get_executor(), given);
  auto refused = test::run(io, lost_one.connect());
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_THAT(refused.error().why, HasSubstr("no_such_database"));
  for (const char* broken : {"postgresql://user:hidden-word@[::1", "hidden-word", "pass=hidden-word", ""}) {
    given.connection = core::Secret(broken);
    Session garbled(io.get_executor(), given);
    auto unreadable = test::run(io, garbled.connect());
    ASSERT_FALSE(unreadable);
    EXPECT_EQ(unreadable.error().code, Code::bad_input);
    EXPECT_THAT(core::describe(unreadable.error()), Not(HasSubstr("hidden-word")));
  }
}

TEST_F(SessionFaults, ALoneStatementCutOffIsInDoubt) {
  ASSERT_TRUE(query("SELECT 1"));
  proxy->cut_at("VACUUM", true);
  EXPECT_EQ(test::run(io, session->alone("VACUUM t", std::chrono::seconds(5))).error().code, Code::in_doubt);
  EXPECT_TRUE(test::run(io, session->alone("VACUUM t", std::chrono::seconds(5))));
  database->kill_backend(session->backend_pid());
  EXPECT_TRUE(test::run(io, session->alone("VACUUM t", std::chrono::seconds(5)))) << "dead before it began: replaced";
}

TEST_F(SessionFaults, AClientThatVanishesLeavesNoBackendBehind) {
  SessionOptions given = options();
  given.check_connection = true;
  Session watched(io.get_executor(), given);
  ASSERT_TRUE(test::run(io, watched.connect()));
  const std::string pid = std::to_string(watched.backend_pid());
  std::thread cutter([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    proxy->close();
  });
  EXPECT_FALSE(test::run(io, watched.query("SELECT pg_sleep(30)")));
  cutter.join();
  std::string left;
  for (int i = 0; i < 50; ++i) {
    left = database->sql().value("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid);
    if (left == "0") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(left, "0");
}

}  // namespace
}  // namespace steward::db
