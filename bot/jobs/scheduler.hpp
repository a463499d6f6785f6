// Runs schedules when they are due, one after another, by the database's clock. What is late is told, never run; what falls into the
// quiet hours waits for their end. Gets the functions that run and tell from app (the command layer is above). I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "core/timetable.hpp"
#include "db/schedule_store.hpp"

namespace steward::jobs {

// As for a command that arrives late: later than that nothing runs by itself.
inline constexpr auto late_limit = std::chrono::minutes(5);

struct Decision {
  enum class Kind { run, missed, postpone };
  Kind kind = Kind::run;
  core::TimePoint until{};  // of postpone
};
// What to do with a schedule whose time has come.
Decision decide(const db::ScheduleRow& due, core::TimePoint now, const core::Daytime& daytime);

// When a schedule should run next, after the clock was set back, the zone or the report hours changed or the program started.
// `before` is how the day went when its next run was reckoned. A postponed run stays where it is; a run is not repeated by a clock
// that was set back by less than a day.
std::optional<core::TimePoint> aligned(const db::ScheduleRow& schedule, const core::Timetable& timetable, core::TimePoint now,
                                       const core::Daytime& before, const core::Daytime& daytime);

struct MissedRun {
  db::ScheduleRow schedule;
  int count = 1;
  core::TimePoint newest;  // the last of the times that passed
};

class Scheduler {
 public:
  enum class RunEnd { over, later };  // later: could not even begin, try again while it is not too late
  struct Hooks {
    std::function<boost::asio::awaitable<core::Result<core::TimePoint>>()> now;  // empty: the database's clock
    std::function<core::Daytime()> daytime;
    std::function<bool()> held;  // everything is frozen
    // Repeatable: after a crash the same planned time comes again.
    std::function<boost::asio::awaitable<RunEnd>(db::ScheduleRow schedule, core::TimePoint planned, std::chrono::seconds late)> run;
    // Tells them in one message; false: not now.
    std::function<boost::asio::awaitable<bool>(std::vector<MissedRun> missed)> tell_missed;
    // A schedule of another version of the program: it pauses and says so.
    std::function<boost::asio::awaitable<void>(db::ScheduleRow schedule, core::Error why)> pause;
  };
  Scheduler(db::ScheduleStore& store, Hooks hooks);

  // Until cancelled.
  boost::asio::awaitable<void> run();
  // One look at the clock; run() does it every two seconds.
  boost::asio::awaitable<void> look();

 private:
  boost::asio::awaitable<void> align(core::TimePoint now, core::Daytime daytime);
  boost::asio::awaitable<void> handle(db::ScheduleRow schedule, core::TimePoint now, std::vector<MissedRun>& missed);

  db::ScheduleStore& store_;
  Hooks hooks_;
  std::optional<core::TimePoint> last_look_;
  core::Daytime daytime_;
};

}  // namespace steward::jobs
