// What cmake/embed.py made of embedded/probe.sql, run on a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "db/names.hpp"
#include "db/session.hpp"
#include "sql/schema.hpp"
#include "test_sql/statements.hpp"

namespace steward::db {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Embedding, NumbersParametersByFirstUseAndDropsTheHeader) {
  EXPECT_EQ(test_sql::probe.name, "probe");
  EXPECT_THAT(test_sql::probe.parameters, ElementsAre("first", "second"));
  EXPECT_TRUE(test_sql::probe.text.starts_with("SELECT $1::text AS a, $2::bigint + 1"));
  EXPECT_THAT(std::string(test_sql::probe.text), Not(HasSubstr("purpose")));
}

TEST(Embedding, MigrationsAreNumberedFromOne) {
  int number = 0;
  for (const Migration& migration : sql::migrations) EXPECT_EQ(migration.number, ++number);
  EXPECT_GT(number, 0);
}

TEST(Embedding, NamesArePutInQuotedAndOnlyPlainOnes) {
  const Statement statement{"odd", "SELECT :\"key\" FROM :\"table\" WHERE :\"key\" > $1", {"after"}};
  EXPECT_EQ(with_names(statement, {{"table", "events"}, {"key", "event_id"}}), "SELECT \"event_id\" FROM \"events\" WHERE \"event_id\" > $1");
  EXPECT_THROW(with_names(statement, {{"table", "events"}}), std::logic_error);
  EXPECT_THROW(with_names(statement, {{"table", "events"}, {"key", "id\" FROM users; --"}}), std::logic_error);
  EXPECT_THROW(with_names(statement, {{"table", "events"}, {"key", "Id"}}), std::logic_error);
  EXPECT_THROW(with_names(statement, {{"table", "events"}, {"key", "id"}, {"column", "id"}}), std::logic_error);
}

TEST(Embedding, TheServerReadsItAsWritten) {
  STEWARD_NEED_POSTGRES();
  test::TestDatabase database;
  SessionOptions options;
  options.name = "test";
  options.connection = core::Secret(database.connection());
  boost::asio::io_context io;
  Session session(io.get_executor(), options);
  Arguments arguments{{"second", bind(41)}, {"first", "x'y"}};
  auto rows = test::run(io, session.query(test_sql::probe, std::move(arguments)));
  ASSERT_TRUE(rows) << core::describe(rows.error());
  const Row& row = rows->at(0);
  EXPECT_EQ(row.text("a"), "x'y");
  EXPECT_EQ(row.integer("b"), 42);
  EXPECT_EQ(row.text("c"), "it's :'first'");
  EXPECT_EQ(row.text("d"), " :'first' ; ");
  EXPECT_EQ(row.text("e"), "':");
  EXPECT_EQ(row.text("f"), "x'y!");
  EXPECT_EQ(row.integer("odd:'name'"), 1);
}

}  // namespace
}  // namespace steward::db
