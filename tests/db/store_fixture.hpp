// A migrated store in a database of its own, and its tables' contents by plain SQL.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "core/log.hpp"
#include "db/store.hpp"

namespace steward::db {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    core::set_log_level(core::LogLevel::warning);
    database.emplace();
    SessionOptions options;
    options.name = "store";
    options.connection = core::Secret(database->connection());
    options.search_path = "steward";
    session.emplace(io.get_executor(), options);
    stores.emplace(*session);
    auto migrated = test::run(io, migrate(*session, "steward"));
    ASSERT_TRUE(migrated) << core::describe(migrated.error());
    database->sql().exec("SET search_path = steward");
  }
  void TearDown() override {
    session.reset();
    database.reset();
  }
  template <class T>
  T get(boost::asio::awaitable<core::Result<T>> call) {
    auto result = test::run(io, std::move(call));
    if (!result) throw std::runtime_error(core::describe(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }
  template <class T>
  core::Error error(boost::asio::awaitable<core::Result<T>> call) {
    auto result = test::run(io, std::move(call));
    return result ? core::Error{core::Code::internal, "it succeeded", "", "", ""} : result.error();
  }
  std::string value(const std::string& sql) { return database->sql().value(sql); }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<Session> session;
  std::optional<Stores> stores;
};

}  // namespace steward::db
