// Schedules as the journal keeps them. Used by jobs (the scheduler), command (their runs) and commands (!schedule). On the store
// session, each call one transaction. Times are the database's, handed out and taken as points in time. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"
#include "db/session.hpp"

namespace steward::db {

struct ScheduleRow {
  std::int64_t number = 0;
  std::string timetable;      // "daily 03:00", as core::parse_timetable reads it
  std::string line;           // the command with its arguments, canonical
  core::UserId author;        // "terminal": made at the server's shell; empty: the bot's own
  core::UserId confirmed_by;
  std::int64_t origin_job = 0;
  int level = 0;              // of the plan it was confirmed with
  std::int64_t cap_items = 0, cap_rows = 0, cap_bytes = 0;
  std::string state;          // active, paused, ended
  std::string reason;         // why it is paused
  std::optional<core::TimePoint> next_run, last_run;
  std::string last_outcome;
  std::int64_t last_job = 0;
};

class ScheduleStore {
 public:
  explicit ScheduleStore(Session& session) : session_(session) {}

  boost::asio::awaitable<core::Result<core::TimePoint>> now();
  // Its number; the one that is there already when its origin job made one before (a repeated run after a crash).
  boost::asio::awaitable<core::Result<std::int64_t>> add(ScheduleRow row);
  boost::asio::awaitable<core::Result<std::optional<ScheduleRow>>> find(std::int64_t number);
  boost::asio::awaitable<core::Result<std::vector<ScheduleRow>>> all();  // by number
  // Active and due at `now`, the longest waiting first.
  boost::asio::awaitable<core::Result<std::vector<ScheduleRow>>> due(core::TimePoint now, int limit);
  boost::asio::awaitable<core::Result<bool>> remove(std::int64_t number);
  // active, paused or ended, with its reason. False: there is none of that number.
  boost::asio::awaitable<core::Result<bool>> set_state(std::int64_t number, std::string state, std::string reason,
                                                       std::optional<core::TimePoint> next_run);
  boost::asio::awaitable<core::Result<void>> set_next(std::int64_t number, std::optional<core::TimePoint> next_run);
  // On from a run that was due at `planned`, done or missed; without a next one the schedule has ended. Only while it is still
  // due at that time: what a person did meanwhile stays.
  boost::asio::awaitable<core::Result<void>> move_on(std::int64_t number, core::TimePoint planned, bool ran, std::optional<core::TimePoint> next_run);
  boost::asio::awaitable<core::Result<void>> note_outcome(std::int64_t number, std::string outcome, std::int64_t job);
  // Pauses what changes something (level ≥ 1) and returns it.
  boost::asio::awaitable<core::Result<std::vector<ScheduleRow>>> pause_changing(std::string reason);
  boost::asio::awaitable<core::Result<void>> forget_ended(std::chrono::seconds age);

 private:
  Session& session_;
};

}  // namespace steward::db
