// When something is due, as people write it (COMMANDS.md Grammar 7): "daily 03:00", "mon,thu 04:30", "1st 02:00", "every 6h",
// "in 2h", "2026-12-24T18:00", five fields of cron. Pure: the time and the zone are the caller's. Used by jobs (the scheduler) and
// by the commands that show and take schedules. Any thread.
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/units.hpp"

namespace steward::core {

struct Timetable {
  enum class Kind { calendar, interval, in, date };
  Kind kind = Kind::calendar;
  std::string text;  // as it reads back: "daily 03:00"

  // calendar
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;      // 1–31
  std::bitset<13> months;    // 1–12
  std::bitset<7> weekdays;   // 0: Sunday
  bool either_day = false;   // cron with both kinds of day: one of them suffices
  bool at_report_hours = false;  // "daily report-hours": the time of the day is a setting

  std::chrono::seconds interval{};  // of `interval` and `in`

  bool repeats() const { return kind == Kind::calendar || kind == Kind::interval; }
};

// Where and how the caller's day goes.
struct Daytime {
  std::string zone = "UTC";
  std::optional<std::chrono::minutes> report_hours;  // nullopt: off
  std::optional<std::pair<std::chrono::minutes, std::chrono::minutes>> quiet_hours;  // from, to; may cross midnight
  bool operator==(const Daytime&) const = default;
};

// bad_input: a line that says what is wrong, then the text with a caret under the wrong word; `next` how it is written.
// Days that never come ("0 0 31 2 *") and intervals under a minute are refused.
Result<Timetable> parse_timetable(std::string_view text);

// The first time after `after`. In the hour that clocks skip: once, right after it. In the hour that comes twice: once, in the
// first of the two; cron that names every hour ("*/10 * * * *") goes by the hours that really pass. Intervals count from `after`.
// nullopt: never (a setting is off; `in` and `date`, which first_run() alone knows).
std::optional<TimePoint> next_run(const Timetable& timetable, TimePoint after, const Daytime& daytime);
// The same for a timetable that was made at `now`; nullopt also for a date that has passed.
std::optional<TimePoint> first_run(const Timetable& timetable, TimePoint now, const Daytime& daytime);

// When the quiet hours end in which `time` lies; nullopt: it lies in none.
std::optional<TimePoint> quiet_until(TimePoint time, const Daytime& daytime);

}  // namespace steward::core
