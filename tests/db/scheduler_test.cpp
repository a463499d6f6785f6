// Schedules against a clock that the test owns: nothing runs twice, nothing late runs, nothing is silently lost.
#include "jobs/scheduler.hpp"

#include "store_fixture.hpp"

namespace steward::jobs {
namespace {

using boost::asio::awaitable;
using core::TimePoint;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class SchedulerTest : public db::StoreTest {
 protected:
  void SetUp() override {
    db::StoreTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    daytime.zone = "Europe/Berlin";
    restart();
  }

  // As the bot does at a start: nothing is remembered but the table.
  void restart() {
    Scheduler::Hooks hooks;
    hooks.now = [this]() -> awaitable<core::Result<TimePoint>> { co_return clock; };
    hooks.daytime = [this] { return daytime; };
    hooks.held = [this] { return frozen; };
    hooks.run = [this](db::ScheduleRow schedule, TimePoint planned, seconds) -> awaitable<Scheduler::RunEnd> {
      if (away) co_return Scheduler::RunEnd::later;
      ran.push_back(schedule.line + " " + core::format_time(planned, daytime.zone));
      co_return Scheduler::RunEnd::over;
    };
    hooks.tell_missed = [this](std::vector<MissedRun> missed) -> awaitable<bool> {
      if (away) co_return false;
      for (const MissedRun& one : missed) told.push_back(one.schedule.line + " x" + std::to_string(one.count));
      ++messages;
      co_return true;
    };
    hooks.pause = [this](db::ScheduleRow schedule, core::Error) -> awaitable<void> {
      co_await stores->schedules.set_state(schedule.number, "paused", "unreadable", std::nullopt);
    };
    scheduler.emplace(stores->schedules, std::move(hooks));
  }

  std::int64_t add(const std::string& timetable, const std::string& line, int level = 3) {
    db::ScheduleRow row;
    row.timetable = timetable;
    row.line = line;
    row.author = core::UserId("@ann:hs.test");
    row.level = level;
    row.next_run = core::first_run(*core::parse_timetable(timetable), clock, daytime);
    return get(stores->schedules.add(std::move(row)));
  }
  db::ScheduleRow row(std::int64_t number) { return *get(stores->schedules.find(number)); }
  std::string next(std::int64_t number) {
    const auto found = row(number);
    return found.next_run ? core::format_time(*found.next_run, daytime.zone) : "never";
  }
  void look() { test::run(io, scheduler->look()); }
  void look_at(const std::string& time) {
    clock = *core::parse_date(time, daytime.zone);
    look();
  }

  core::Daytime daytime;
  TimePoint clock = *core::parse_date("2026-11-26T12:00", "Europe/Berlin");
  bool frozen = false, away = false;
  std::vector<std::string> ran, told;
  int messages = 0;
  std::optional<Scheduler> scheduler;
};

TEST_F(SchedulerTest, RunsOnceWhenDue) {
  const auto number = add("daily 03:00", "purge");
  look_at("2026-11-27T02:59");
  EXPECT_THAT(ran, IsEmpty());
  look_at("2026-11-27T03:00");
  look();
  look_at("2026-11-27T03:04");
  EXPECT_THAT(ran, ElementsAre("purge 27 Nov 2026 03:00"));
  EXPECT_EQ(next(number), "28 Nov 2026 03:00");
}

TEST_F(SchedulerTest, OneTimeSchedulesEnd) {
  const auto number = add("in 2h", "purge");
  look_at("2026-11-26T14:01");
  look();
  EXPECT_EQ(ran.size(), 1U);
  EXPECT_EQ(row(number).state, "ended");
}

TEST_F(SchedulerTest, IntervalsKeepTheirRhythm) {
  const auto number = add("every 6h", "purge");
  look_at("2026-11-26T18:03");
  EXPECT_EQ(next(number), "27 Nov 2026 00:00");
  look_at("2026-11-27T07:00");
  EXPECT_THAT(told, ElementsAre("purge x2"));
  EXPECT_EQ(next(number), "27 Nov 2026 12:00");
}

TEST_F(SchedulerTest, WhatIsLateIsToldNotRun) {
  const auto daily = add("daily 03:00", "purge");
  add("in 1h", "once");
  look_at("2026-11-29T12:00");
  restart();
  look();
  EXPECT_THAT(ran, IsEmpty());
  EXPECT_THAT(told, ElementsAre("once x1", "purge x3"));
  EXPECT_EQ(messages, 1) << "one message for all of them, and only once";
  EXPECT_EQ(row(daily).last_outcome, "missed");
  EXPECT_EQ(row(daily).last_run, std::nullopt);
  EXPECT_EQ(next(daily), "30 Nov 2026 03:00");
}

TEST_F(SchedulerTest, AQuickRestartLosesNothing) {
  add("daily 03:00", "purge");
  clock = *core::parse_date("2026-11-27T03:04", daytime.zone);
  restart();
  look();
  EXPECT_THAT(ran, ElementsAre("purge 27 Nov 2026 03:00"));
}

TEST_F(SchedulerTest, WhatCannotBeginIsTriedAgainUntilItIsTooLate) {
  add("daily 03:00", "purge");
  away = true;
  look_at("2026-11-27T03:00");
  look_at("2026-11-27T03:05");
  away = false;
  look();
  EXPECT_EQ(ran.size(), 1U);
  away = true;
  look_at("2026-11-28T03:00");
  look_at("2026-11-28T03:06");
  EXPECT_THAT(told, IsEmpty());
  away = false;
  look();
  EXPECT_THAT(told, ElementsAre("purge x1"));
}

TEST_F(SchedulerTest, ClockSetBackAnHour) {
  const auto number = add("daily 03:00", "purge");
  look_at("2026-11-27T03:00");
  look_at("2026-11-27T02:00");
  look_at("2026-11-27T03:00");
  look_at("2026-11-27T03:01");
  EXPECT_EQ(ran.size(), 1U) << "not once more";
  EXPECT_EQ(next(number), "28 Nov 2026 03:00");
}

TEST_F(SchedulerTest, ClockSetForwardAnHour) {
  add("daily 03:00", "purge");
  look_at("2026-11-27T02:50");
  look_at("2026-11-27T03:50");
  EXPECT_THAT(ran, IsEmpty());
  EXPECT_THAT(told, ElementsAre("purge x1"));
}

TEST_F(SchedulerTest, AClockThatWasYearsAheadDoesNotSilenceSchedules) {
  const auto number = add("daily 03:00", "purge");
  look_at("2031-01-01T12:00");
  EXPECT_EQ(next(number), "2 Jan 2031 03:00");
  look_at("2026-11-26T12:05");
  EXPECT_EQ(next(number), "27 Nov 2026 03:00");
  look_at("2031-01-01T12:00");
  clock = *core::parse_date("2026-11-27T12:00", daytime.zone);
  restart();
  look();
  EXPECT_EQ(next(number), "28 Nov 2026 03:00") << "also when the bot was restarted in between";
}

TEST_F(SchedulerTest, QuietHours) {
  daytime.quiet_hours = std::pair(minutes(22 * 60), minutes(7 * 60));
  const auto heavy = add("daily 03:00", "purge", 3);
  add("daily 03:00", "report", 0);
  look_at("2026-11-27T03:00");
  EXPECT_THAT(ran, ElementsAre("report 27 Nov 2026 03:00")) << "what only reads is not heavy";
  EXPECT_EQ(next(heavy), "27 Nov 2026 07:00");
  restart();
  look();
  EXPECT_EQ(next(heavy), "27 Nov 2026 07:00");
  look_at("2026-11-27T07:00");
  EXPECT_EQ(ran.back(), "purge 27 Nov 2026 07:00");
  EXPECT_EQ(next(heavy), "28 Nov 2026 03:00");
}

TEST_F(SchedulerTest, FrozenRunsNothing) {
  add("daily 03:00", "purge");
  frozen = true;
  look_at("2026-11-27T03:00");
  frozen = false;
  look_at("2026-11-27T03:30");
  EXPECT_THAT(ran, IsEmpty());
  EXPECT_THAT(told, ElementsAre("purge x1"));
}

TEST_F(SchedulerTest, PausedRunsNothing) {
  const auto number = add("daily 03:00", "purge");
  get(stores->schedules.set_state(number, "paused", "by hand", std::nullopt));
  look_at("2026-11-28T03:00");
  EXPECT_THAT(ran, IsEmpty());
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(SchedulerTest, ANewZoneMovesTheNextRun) {
  const auto number = add("daily 03:00", "purge");
  const auto report = add("daily report-hours", "report", 0);
  EXPECT_EQ(next(report), "never");
  look();
  daytime.zone = "America/New_York";
  daytime.report_hours = hours(8);
  look();
  EXPECT_EQ(next(number), "27 Nov 2026 03:00");
  EXPECT_EQ(next(report), "26 Nov 2026 08:00");
  daytime.report_hours.reset();
  look();
  EXPECT_EQ(next(report), "never");
}

TEST_F(SchedulerTest, WhatIsNotUnderstoodAnyMorePauses) {
  const auto number = add("daily 03:00", "purge");
  database->sql().exec("UPDATE schedule SET timetable = 'at full moon'");
  look();
  EXPECT_EQ(row(number).state, "paused");
}

TEST_F(SchedulerTest, AScheduleRemovedWhileItRunsStaysAway) {
  const auto number = add("daily 03:00", "purge");
  const TimePoint planned = *row(number).next_run;
  get(stores->schedules.set_state(number, "paused", "by hand", std::nullopt));
  get(stores->schedules.move_on(number, planned, true, planned + hours(24)));
  EXPECT_EQ(row(number).state, "paused");
}

TEST_F(SchedulerTest, ARepeatedConfirmationMakesOneSchedule) {
  db::ScheduleRow schedule;
  schedule.timetable = "daily 03:00";
  schedule.line = "purge";
  schedule.origin_job = 41;
  EXPECT_EQ(get(stores->schedules.add(schedule)), get(stores->schedules.add(schedule)));
}

TEST_F(SchedulerTest, AThousandOfThem) {
  database->sql().exec(
      "INSERT INTO schedule (timetable, line, author, confirmed_by, level, cap_items, cap_rows, cap_bytes, next_run) "
      "SELECT 'daily 03:00', 'purge', '@ann:hs.test', '', 3, 0, 0, 0, '2026-11-27 02:00+00' FROM generate_series(1, 1000)");
  look();
  EXPECT_THAT(ran, IsEmpty());
  clock = *core::parse_date("2026-11-27T03:00", daytime.zone);
  for (int looks = 0; looks < 10; ++looks) look();
  EXPECT_EQ(ran.size(), 1000U);
}

}  // namespace
}  // namespace steward::jobs
