#include "db/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "db/sqlstate.hpp"

namespace steward::db {
namespace {

using core::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(SqlState, KeepsOnlyThePrimaryMessage) {
  const Message english = read_message("ERROR:  23505: duplicate key value\nDETAIL:  Key (a)=(secret) already exists.\n");
  EXPECT_EQ(english.sqlstate, "23505");
  EXPECT_EQ(english.text, "duplicate key value");
  const Message german = read_message("FEHLER:  42P01: Relation »x« existiert nicht\nLINE 1: SELECT …");
  EXPECT_EQ(german.sqlstate, "42P01");
  EXPECT_EQ(german.text, "Relation »x« existiert nicht");
  const Message bare = read_message("connection refused\n\tIs the server running?");
  EXPECT_EQ(bare.sqlstate, "");
  EXPECT_EQ(bare.text, "connection refused");
}

TEST(SqlState, TellsCancellationFromTimeout) {
  const std::chrono::milliseconds limit(1000), early(10), late(1001);
  EXPECT_EQ(error_of("57014", "canceling statement due to user request", late, limit).code, Code::cancelled);
  EXPECT_EQ(error_of("57014", "canceling statement due to statement timeout", early, limit).code, Code::timeout);
  EXPECT_EQ(error_of("57014", "Anweisung wird storniert", early, limit).code, Code::cancelled);
  EXPECT_EQ(error_of("57014", "Anweisung wird storniert", late, limit).code, Code::timeout);
  EXPECT_EQ(error_of("57014", "Anweisung wird storniert", late, {}).code, Code::cancelled);
}

TEST(BindArray, QuotesWhatTheServerWouldSplit) {
  EXPECT_EQ(*bind_array({}), "{}");
  EXPECT_EQ(*bind_array({"a", "b,c", "d\"e\\f", "NULL", ""}), R"({"a","b,c","d\"e\\f","NULL",""})");
}

class SessionTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    database.emplace();
    session.emplace(io.get_executor(), options());
  }
  void TearDown() override {
    session.reset();
    database.reset();
  }
  SessionOptions options() {
    SessionOptions given;
    given.name = "test";
    given.connection = core::Secret(database->connection());
    return given;
  }
  core::Result<Rows> query(std::string sql, Values values = {}) {
    return test::run(io, session->query(std::move(sql), std::move(values)));
  }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<Session> session;
};

TEST_F(SessionTest, GivesCellsByColumnNameAndType) {
  auto rows = query("SELECT 'x'::text AS a, 9000000000 AS b, 1.5::float8 AS c, true AS d, false AS e, NULL::text AS f, "
                    "sum(3)::numeric AS g");
  ASSERT_TRUE(rows) << core::describe(rows.error());
  const Row& row = rows->at(0);
  EXPECT_EQ(row.text("a"), "x");
  EXPECT_EQ(row.integer("b"), 9000000000);
  EXPECT_DOUBLE_EQ(row.number("c"), 1.5);
  EXPECT_TRUE(row.boolean("d"));
  EXPECT_FALSE(row.boolean("e"));
  EXPECT_TRUE(row.is_null("f"));
  EXPECT_EQ(row.text("f"), "");
  EXPECT_EQ(row.integer("f"), 0);
  EXPECT_EQ(row.integer("g"), 3);
  EXPECT_THROW(row.text("h"), std::out_of_range);
  EXPECT_THROW(row.integer("a"), std::out_of_range);
}

TEST_F(SessionTest, CarriesParametersBothWays) {
  const std::vector<std::string> hostile{"plain", "", "a,b", "{}", "quote\"", "back\\slash", "NULL", "null", "é 🙂", " space "};
  Values values{bind_array(hostile), std::nullopt, bind(-7), bind(true), "it's ; DROP"};
  auto rows = query("SELECT $1::text[] AS list, $2::text AS nothing, $3::bigint AS number, $4::boolean AS flag, $5::text AS text",
                    std::move(values));
  ASSERT_TRUE(rows) << core::describe(rows.error());
  EXPECT_EQ(rows->at(0).list("list"), hostile);
  EXPECT_TRUE(rows->at(0).is_null("nothing"));
  EXPECT_EQ(rows->at(0).integer("number"), -7);
  EXPECT_TRUE(rows->at(0).boolean("flag"));
  EXPECT_EQ(rows->at(0).text("text"), "it's ; DROP");
  auto empty = query("SELECT '{}'::text[] AS none, ARRAY[NULL, 'x'] AS some");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->at(0).list("none").empty());
  EXPECT_THAT(empty->at(0).list("some"), ElementsAre("", "x"));
}

TEST_F(SessionTest, RefusesANulByteRatherThanCuttingTheText) {
  auto rows = query("SELECT $1::text", Values{std::string("a\0b", 3)});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, Code::bad_input);
}

TEST_F(SessionTest, CommitsOnAValueAndRollsBackOnAnError) {
  ASSERT_TRUE(query("CREATE TABLE t (a int PRIMARY KEY)"));
  auto good = [](Transaction& transaction) -> core::Result<std::int64_t> {
    auto rows = transaction.exec("INSERT INTO t VALUES (1), (2)");
    if (!rows) return core::fail(rows.error());
    return transaction.affected();
  };
  EXPECT_EQ(test::run(io, session->transaction(good)).value(), 2);
  auto bad = [](Transaction& transaction) -> core::Result<int> {
    auto rows = transaction.exec("INSERT INTO t VALUES (3)");
    if (!rows) return core::fail(rows.error());
    return core::fail(Code::conflict, "changed my mind");
  };
  EXPECT_EQ(test::run(io, session->transaction(bad)).error().what, "changed my mind");
  auto ignores = [](Transaction& transaction) -> core::Result<int> {
    EXPECT_TRUE(transaction.exec("INSERT INTO t VALUES (4)"));
    EXPECT_FALSE(transaction.exec("INSERT INTO t VALUES (1)"));
    EXPECT_EQ(transaction.exec("SELECT 1").error().source, "23505") << "a dead transaction keeps its first error";
    return 5;
  };
  auto ignored = test::run(io, session->transaction(ignores));
  ASSERT_FALSE(ignored) << "an ignored error must not look like a commit";
  EXPECT_EQ(ignored.error().source, "23505");
  auto throws = [](Transaction& transaction) -> core::Result<int> {
    EXPECT_TRUE(transaction.exec("INSERT INTO t VALUES (6)"));
    return static_cast<int>(transaction.exec("SELECT 1 AS one")->at(0).integer("two"));
  };
  EXPECT_EQ(test::run(io, session->transaction(throws)).error().code, Code::internal);
  EXPECT_EQ(database->sql().value("SELECT string_agg(a::text, ',' ORDER BY a) FROM t"), "1,2");
}

TEST_F(SessionTest, NamesErrorsWithoutDataOrQueryText) {
  ASSERT_TRUE(query("CREATE TABLE t (a text PRIMARY KEY)"));
  ASSERT_TRUE(query("INSERT INTO t VALUES ('topsecret')"));
  auto doubled = query("INSERT INTO t VALUES ($1)", Values{"topsecret"});
  EXPECT_EQ(doubled.error().code, Code::conflict);
  EXPECT_EQ(doubled.error().source, "23505");
  EXPECT_THAT(core::describe(doubled.error()), Not(HasSubstr("topsecret")));
  auto wrong = query("SELECT 'topsecret' FROM nowhere");
  EXPECT_EQ(wrong.error().code, Code::rejected);
  EXPECT_EQ(wrong.error().source, "42P01");
  EXPECT_EQ(wrong.error().why, "relation \"nowhere\" does not exist");
  EXPECT_THAT(core::describe(wrong.error()), Not(HasSubstr("topsecret")));
  EXPECT_EQ(query("SELECT 1/0").error().source, "22012");
  ASSERT_TRUE(query("SELECT 1")) << "the session goes on";
}

TEST_F(SessionTest, MapsMissingRightsAndReadOnly) {
  ASSERT_TRUE(query("CREATE TABLE t (a int)"));
  SessionOptions given = options();
  given.connection = core::Secret(database->plain_role());
  Session plain(io.get_executor(), given);
  EXPECT_EQ(test::run(io, plain.query("SELECT * FROM t")).error().code, Code::not_allowed);
  given = options();
  given.read_only = true;
  Session reader(io.get_executor(), given);
  EXPECT_EQ(test::run(io, reader.query("INSERT INTO t VALUES (1)")).error().source, "25006");
  EXPECT_TRUE(test::run(io, reader.query("SELECT * FROM t")));
}

TEST_F(SessionTest, SetsEverythingAtStart) {
  database->sql().exec("CREATE SCHEMA \"odd name\"");
  SessionOptions given = options();
  given.search_path = "\"odd name\", public";
  given.check_connection = true;
  given.statement_timeout = std::chrono::milliseconds(1234);
  given.lock_timeout = std::chrono::milliseconds(567);
  Session other(io.get_executor(), given);
  auto rows = test::run(io, other.query(
      "SELECT current_schema() AS schema, current_setting('statement_timeout') AS statement, "
      "current_setting('lock_timeout') AS lock, current_setting('client_connection_check_interval') AS watch, "
      "current_setting('application_name') AS name, current_setting('client_encoding') AS encoding"));
  ASSERT_TRUE(rows) << core::describe(rows.error());
  EXPECT_EQ(rows->at(0).text("schema"), "odd name");
  EXPECT_EQ(rows->at(0).text("statement"), "1234ms");
  EXPECT_EQ(rows->at(0).text("lock"), "567ms");
  EXPECT_EQ(rows->at(0).text("watch"), "1s");
  EXPECT_EQ(rows->at(0).text("name"), "synapse-steward test");
  EXPECT_EQ(rows->at(0).text("encoding"), "UTF8");
  EXPECT_FALSE(other.behind_pooler());
  EXPECT_EQ(std::to_string(other.backend_pid()), test::run(io, other.query("SELECT pg_backend_pid() AS pid"))->at(0).text("pid"));
}

TEST_F(SessionTest, CallsStatementsByParameterName) {
  const Statement statement{"difference", "SELECT $1::int - $2::int AS d", {"from", "less"}};
  auto rows = test::run(io, session->query(statement, Arguments{{"less", bind(2)}, {"from", bind(7)}}));
  ASSERT_TRUE(rows) << core::describe(rows.error());
  EXPECT_EQ(rows->at(0).integer("d"), 5);
  for (const Arguments& arguments : {Arguments{{"from", bind(7)}}, Arguments{{"from", bind(7)}, {"fewer", bind(1)}},
                                     Arguments{{"from", bind(7)}, {"from", bind(7)}, {"less", bind(2)}}}) {
    auto refused = test::run(io, session->query(statement, arguments));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::internal);
    EXPECT_THAT(refused.error().what, HasSubstr("difference"));
  }
}

TEST_F(SessionTest, PreparesWhatIsMarkedOncePerConnection) {
  const Statement statement{"double", "SELECT $1::int * 2 AS d", {"of"}, true};
  const auto doubled = [&](int number) {
    auto rows = test::run(io, session->query(statement, Arguments{{"of", bind(number)}}));
    return rows ? rows->at(0).integer("d") : -1;
  };
  const auto prepared = [&] { return query("SELECT count(*) AS n FROM pg_prepared_statements")->at(0).integer("n"); };
  for (int number = 1; number < 9; ++number) EXPECT_EQ(doubled(number), number * 2);
  EXPECT_EQ(prepared(), 1);
  ASSERT_TRUE(query("SELECT 1 AS one"));
  EXPECT_EQ(prepared(), 1) << "what is not marked is not prepared";
  EXPECT_EQ(test::run(io, session->query(statement, Arguments{{"of", "x"}})).error().source, "22P02");
  EXPECT_EQ(doubled(4), 8) << "after an error";
  EXPECT_FALSE(query("SELECT pg_terminate_backend(pg_backend_pid())"));
  EXPECT_EQ(doubled(5), 10) << "on a new connection";
  EXPECT_EQ(prepared(), 1);
}

TEST_F(SessionTest, LimitsTime) {
  SessionOptions given = options();
  given.statement_timeout = std::chrono::milliseconds(100);
  Session hasty(io.get_executor(), given);
  auto slow = test::run(io, hasty.query("SELECT pg_sleep(5)"));
  EXPECT_EQ(slow.error().code, Code::timeout);
  EXPECT_EQ(slow.error().source, "57014");
  const Statement nap{"nap", "SELECT pg_sleep(0.3)", {}};
  EXPECT_TRUE(test::run(io, hasty.query_within(std::chrono::seconds(5), nap, {})));
  EXPECT_EQ(test::run(io, hasty.query(nap)).error().code, Code::timeout) << "the longer limit ended with its query";
}

TEST_F(SessionTest, GivesUpOnALockInTime) {
  database->sql().exec("CREATE TABLE t (a int)");
  database->sql().exec("BEGIN; LOCK TABLE t");
  SessionOptions given = options();
  given.lock_timeout = std::chrono::milliseconds(100);
  Session impatient(io.get_executor(), given);
  auto locked = test::run(io, impatient.query("SELECT * FROM t"));
  EXPECT_EQ(locked.error().code, Code::timeout);
  EXPECT_EQ(locked.error().source, "55P03");
  database->sql().exec("ROLLBACK");
  EXPECT_TRUE(test::run(io, impatient.query("SELECT * FROM t")));
}

TEST_F(SessionTest, RunsOneStatementAlone) {
  ASSERT_TRUE(query("CREATE TABLE t (a int)"));
  auto vacuumed = test::run(io, session->alone("VACUUM FULL t", std::chrono::seconds(5)));
  EXPECT_TRUE(vacuumed) << core::describe(vacuumed.error());
  EXPECT_EQ(query("SHOW statement_timeout")->at(0).text("statement_timeout"), "30s") << "the limit was only for that one";
  EXPECT_EQ(test::run(io, session->alone("SELECT pg_sleep(5)", std::chrono::milliseconds(100))).error().code, Code::timeout);
  EXPECT_TRUE(test::run(io, session->alone("VACUUM t", std::chrono::milliseconds(0))));
}

TEST_F(SessionTest, AWarningIsAFailureOfALoneStatement) {
  ASSERT_TRUE(query("CREATE TABLE t (a int)"));
  SessionOptions given = options();
  given.connection = core::Secret(database->plain_role());
  Session plain(io.get_executor(), given);
  auto skipped = test::run(io, plain.alone("VACUUM t", std::chrono::seconds(5)));
  ASSERT_FALSE(skipped) << "the server reports success and vacuums nothing";
  EXPECT_EQ(skipped.error().code, Code::rejected);
  EXPECT_THAT(skipped.error().why + skipped.error().next, HasSubstr("t"));
  EXPECT_TRUE(test::run(io, plain.alone("SELECT 1", std::chrono::seconds(5)))) << "the warning does not stick";
}

TEST_F(SessionTest, QueuesCallsInOrder) {
  ASSERT_TRUE(query("CREATE TABLE t (n int, at timestamptz DEFAULT clock_timestamp())"));
  int ended = 0;
  auto insert = [&](int n) -> boost::asio::awaitable<void> {
    std::string sql = "INSERT INTO t VALUES (" + std::to_string(n) + ")";
    auto rows = co_await session->query(std::move(sql));
    EXPECT_TRUE(rows);
    ++ended;
  };
  auto many = [&]() -> boost::asio::awaitable<void> {
    auto executor = co_await boost::asio::this_coro::executor;
    for (int n = 0; n < 20; ++n) {
      auto one = insert(n);
      boost::asio::co_spawn(executor, std::move(one), [](std::exception_ptr) {});
    }
    auto last = co_await session->query("SELECT 1");
    EXPECT_TRUE(last);
  };
  test::run(io, many());
  EXPECT_EQ(ended, 20);
  EXPECT_EQ(database->sql().value("SELECT string_agg(n::text, ' ' ORDER BY at) FROM t"),
            "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19");
}

}  // namespace
}  // namespace steward::db
