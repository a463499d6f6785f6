#include "store_fixture.hpp"

namespace steward::db {
namespace {

using core::Code;
using testing::HasSubstr;

TEST_F(StoreTest, MigratesOnceAndLeavesPublicAlone) {
  const std::string count = value("SELECT count(*) FROM schema_migration");
  EXPECT_NE(count, "0");
  get(migrate(*session, "steward"));
  EXPECT_EQ(value("SELECT count(*) FROM schema_migration"), count);
  EXPECT_EQ(value("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), "0");
  EXPECT_EQ(value("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class "
                  "WHERE relnamespace = 'steward'::regnamespace AND relkind = 'r'"),
            "alert audit figure handle inbox job job_item job_log offer outbox role schedule schema_migration setting table_size upload");
}

TEST_F(StoreTest, RefusesTablesOfANewerBot) {
  database->sql().exec("INSERT INTO schema_migration (number, name) VALUES (999, 'from_the_future')");
  const core::Error newer = error(migrate(*session, "steward"));
  EXPECT_EQ(newer.code, Code::conflict);
  EXPECT_THAT(newer.why, HasSubstr("999"));
}

TEST_F(StoreTest, PrintsTheRightThatIsMissing) {
  SessionOptions options;
  options.name = "poor";
  options.connection = core::Secret(database->plain_role());
  Session poor(io.get_executor(), options);
  const core::Error no_create = error(migrate(poor, "another"));
  EXPECT_EQ(no_create.code, Code::not_allowed);
  EXPECT_THAT(no_create.next, HasSubstr("CREATE SCHEMA \"another\" AUTHORIZATION \"" + database->last_role() + "\";"));
  const core::Error no_use = error(migrate(poor, "steward"));
  EXPECT_EQ(no_use.code, Code::not_allowed);
  EXPECT_THAT(no_use.next, HasSubstr("GRANT USAGE, CREATE ON SCHEMA \"steward\" TO"));
  database->sql().exec("CREATE SCHEMA another AUTHORIZATION " + database->last_role());
  auto granted = test::run(io, migrate(poor, "another"));
  EXPECT_TRUE(granted) << core::describe(granted.error());
  database->sql().exec("DROP SCHEMA another CASCADE");
}

TEST_F(StoreTest, AnOddSchemaNameIsOnlyAName) {
  const std::string odd = "Odd\"; DROP SCHEMA steward CASCADE; --";
  get(migrate(*session, odd));
  EXPECT_EQ(value("SELECT count(*) FROM pg_namespace WHERE nspname IN ('steward', 'Odd\"; DROP SCHEMA steward CASCADE; --')"), "2");
}

TEST_F(StoreTest, TwoStartsAtOnceMigrateOnce) {
  SessionOptions options;
  options.name = "second";
  options.connection = core::Secret(database->connection());
  Session second(io.get_executor(), options);
  auto both = [&]() -> boost::asio::awaitable<void> {
    auto executor = co_await boost::asio::this_coro::executor;
    auto one = migrate(*session, "fresh");
    bool first_ended = false;
    auto on_end = [&first_ended](std::exception_ptr, core::Result<void> result) {
      EXPECT_TRUE(result) << core::describe(result.error());
      first_ended = true;
    };
    boost::asio::co_spawn(executor, std::move(one), on_end);
    auto other = migrate(second, "fresh");
    auto result = co_await std::move(other);
    EXPECT_TRUE(result);
    while (!first_ended) {
      auto waiting = second.query("SELECT pg_sleep(0.01)");
      auto waited = co_await std::move(waiting);
      EXPECT_TRUE(waited);
    }
  };
  test::run(io, both());
  EXPECT_EQ(value("SELECT count(*) = max(number) FROM fresh.schema_migration"), "t");
}

}  // namespace
}  // namespace steward::db
