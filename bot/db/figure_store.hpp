// What the reports counted before: named numbers, taken together. Used by commands (report.cpp). On the store session, each call one
// transaction. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "core/units.hpp"
#include "db/session.hpp"

namespace steward::db {

struct Figures {
  std::map<std::string, std::int64_t> values;
  core::TimePoint taken_at{};
  std::chrono::seconds age{};
};

// What the bot's jobs did in a window.
struct WorkDone {
  std::int64_t done = 0, failed = 0, stopped = 0, waiting = 0;
  core::Bytes freed;
  std::int64_t rows = 0;
};

class FigureStore {
 public:
  explicit FigureStore(Session& session) : session_(session) {}
  // Keeps them, unless others were kept within the hour: somebody who asks twice must not lose the day before.
  boost::asio::awaitable<core::Result<void>> keep(std::map<std::string, std::int64_t> values);
  // The newest that are about as old as the window, else the oldest of over an hour; nullopt: none yet.
  boost::asio::awaitable<core::Result<std::optional<Figures>>> before(std::chrono::seconds window);
  boost::asio::awaitable<core::Result<WorkDone>> work(std::chrono::seconds window);
  boost::asio::awaitable<core::Result<void>> forget_older_than(std::chrono::seconds age);

 private:
  Session& session_;
};

}  // namespace steward::db
