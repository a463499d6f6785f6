// What is watched and what is wrong, as the bot remembers it; and what reactions to its messages stand for. Used by commands (alerts,
// alert_watch) and command (reactions). On the store session, each call one transaction. Times are the database's. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/units.hpp"
#include "db/session.hpp"

namespace steward::db {

struct AlertRow {
  std::int64_t number = 0;
  std::string metric;
  std::int64_t limit = 0;     // in the metric's unit
  std::string added_by;       // empty: the bot's own
  bool firing = false;
  int streak = 0;             // looks in a row that speak against `firing`
  std::optional<std::int64_t> value;
  std::string detail;
  std::optional<core::TimePoint> since, ended;  // of the present trouble, or of the last one
  std::string message;        // the outbox cause that told it; empty: not told yet
  std::string acknowledged_by;
  std::optional<core::TimePoint> silenced_until;  // absent once it is over
};

class AlertStore {
 public:
  explicit AlertStore(Session& session) : session_(session) {}

  boost::asio::awaitable<core::Result<std::vector<AlertRow>>> all();  // by number
  boost::asio::awaitable<core::Result<std::vector<AlertRow>>> told_by(std::string message);
  boost::asio::awaitable<core::Result<std::optional<AlertRow>>> find(std::int64_t number);
  // Its number; that of the row which has the same metric and limit already.
  boost::asio::awaitable<core::Result<std::int64_t>> add(std::string metric, std::int64_t limit, std::string by);
  boost::asio::awaitable<core::Result<bool>> remove(std::int64_t number);
  // What a look found. A trouble that begins forgets how the last one was told and who saw it.
  boost::asio::awaitable<core::Result<void>> note(AlertRow row, bool begins, bool ends);
  boost::asio::awaitable<core::Result<void>> note_told(std::vector<std::int64_t> numbers, std::string message);
  boost::asio::awaitable<core::Result<void>> acknowledge(std::int64_t number, std::string by);
  boost::asio::awaitable<core::Result<void>> silence(std::int64_t number, std::chrono::seconds span);  // 0 s: no longer

  // What `key` on the message of that cause stands for.
  boost::asio::awaitable<core::Result<void>> offer(std::string cause, std::string key, std::string line);
  boost::asio::awaitable<core::Result<std::optional<std::string>>> offered(std::string cause, std::string key);
  boost::asio::awaitable<core::Result<void>> forget_offers_older_than(std::chrono::seconds age);

 private:
  Session& session_;
};

}  // namespace steward::db
