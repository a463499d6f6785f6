// How large each table of Synapse's database was, a snapshot per day (UTC): the memory behind the growth that people are shown.
// Used by commands (db_growth.cpp notes and reads, db.cpp reads). On the store session, each call one transaction. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::db {

struct TableSize {
  std::string name;  // "": the whole database
  std::int64_t bytes = 0;
  std::optional<std::int64_t> rows = std::nullopt;  // the planner's estimate
};

struct DaySize {
  std::string day;  // "2026-03-31"
  std::int64_t bytes = 0;  // of the whole database
  std::chrono::seconds age{};
};

class GrowthStore {
 public:
  explicit GrowthStore(Session& session) : session_(session) {}
  boost::asio::awaitable<core::Result<bool>> taken_today();
  // Today's snapshot; what the day has already stays.
  boost::asio::awaitable<core::Result<void>> add(std::vector<TableSize> sizes);
  // The days of the window, oldest first.
  boost::asio::awaitable<core::Result<std::vector<DaySize>>> days(std::chrono::seconds window);
  boost::asio::awaitable<core::Result<std::vector<TableSize>>> tables_on(std::string day);
  boost::asio::awaitable<core::Result<void>> forget_older_than(std::chrono::seconds age);

 private:
  Session& session_;
};

}  // namespace steward::db
