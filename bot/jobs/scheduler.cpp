#include "jobs/scheduler.hpp"

#include "async/tasks.hpp"
#include "core/log.hpp"

namespace steward::jobs {

using boost::asio::awaitable;
using core::TimePoint;

namespace {

constexpr auto interval = std::chrono::seconds(2);
constexpr auto set_back = std::chrono::minutes(1);  // less is how clocks are slewed
constexpr auto short_jump = std::chrono::hours(25);
constexpr int batch = 100;
constexpr int most_counted = 1000;
constexpr int heavy_level = 2;

MissedRun missed_of(const db::ScheduleRow& schedule, const core::Timetable& timetable, TimePoint now, const core::Daytime& daytime) {
  MissedRun missed{schedule, 1, *schedule.next_run};
  for (auto next = core::next_run(timetable, missed.newest, daytime); next && *next <= now && missed.count < most_counted;
       next = core::next_run(timetable, missed.newest, daytime)) {
    ++missed.count;
    missed.newest = *next;
  }
  return missed;
}

// The first run after both: an interval keeps its rhythm over what was missed.
std::optional<TimePoint> run_after(const core::Timetable& timetable, TimePoint planned, TimePoint now, const core::Daytime& daytime) {
  if (timetable.kind != core::Timetable::Kind::interval) return core::next_run(timetable, std::max(planned, now), daytime);
  const auto passed = now < planned ? 0 : (now - planned) / timetable.interval;
  return planned + timetable.interval * (passed + 1);
}

}  // namespace

Decision decide(const db::ScheduleRow& due, TimePoint now, const core::Daytime& daytime) {
  if (now - *due.next_run > late_limit) return {Decision::Kind::missed, {}};
  const auto quiet = due.level >= heavy_level ? core::quiet_until(now, daytime) : std::nullopt;
  if (quiet) return {Decision::Kind::postpone, *quiet};
  return {Decision::Kind::run, {}};
}

std::optional<TimePoint> aligned(const db::ScheduleRow& schedule, const core::Timetable& timetable, TimePoint now, const core::Daytime& before,
                                 const core::Daytime& daytime) {
  if (!timetable.repeats() || (schedule.next_run && *schedule.next_run <= now)) return schedule.next_run;
  TimePoint from = now;
  if (schedule.last_run && *schedule.last_run > now && *schedule.last_run - now < short_jump) from = *schedule.last_run;
  const auto expected = core::next_run(timetable, from, daytime);
  if (!schedule.next_run || (expected && *expected < *schedule.next_run)) return expected;
  if (before == daytime || timetable.kind != core::Timetable::Kind::calendar) return schedule.next_run;
  const bool postponed = core::next_run(timetable, *schedule.next_run - std::chrono::milliseconds(1), before) != schedule.next_run;
  return postponed ? schedule.next_run : expected;
}

Scheduler::Scheduler(db::ScheduleStore& store, Hooks hooks) : store_(store), hooks_(std::move(hooks)) {
  if (!hooks_.now) hooks_.now = [this] { return store_.now(); };
}

awaitable<void> Scheduler::run() {
  for (;;) {
    co_await look();
    const bool alive = co_await async::sleep_for(interval);
    if (!alive) co_return;
  }
}

awaitable<void> Scheduler::look() {
  auto now = co_await hooks_.now();
  if (!now) co_return;  // the store is away; the bot's life ends with it
  core::Daytime daytime = hooks_.daytime();
  if (!last_look_) daytime_ = daytime;
  if (!last_look_ || daytime != daytime_ || *now < *last_look_ - set_back) co_await align(*now, daytime);
  last_look_ = *now;
  daytime_ = std::move(daytime);
  if (hooks_.held()) co_return;
  auto due = co_await store_.due(*now, batch);
  if (!due) co_return;
  std::vector<MissedRun> missed;
  for (db::ScheduleRow& schedule : *due) {
    const bool cancelled = co_await async::is_cancelled();
    if (cancelled || hooks_.held()) co_return;
    co_await handle(std::move(schedule), *now, missed);
  }
  if (missed.empty()) co_return;
  const std::vector<MissedRun> told = missed;
  const bool said = co_await hooks_.tell_missed(std::move(missed));
  if (!said) co_return;
  for (const MissedRun& one : told) {
    const auto timetable = core::parse_timetable(one.schedule.timetable);
    const auto next = run_after(*timetable, *one.schedule.next_run, *now, daytime_);
    co_await store_.note_outcome(one.schedule.number, "missed", 0);
    co_await store_.move_on(one.schedule.number, *one.schedule.next_run, /*ran=*/false, next);
  }
}

awaitable<void> Scheduler::handle(db::ScheduleRow schedule, TimePoint now, std::vector<MissedRun>& missed) {
  const auto timetable = core::parse_timetable(schedule.timetable);
  if (!timetable) {
    co_await hooks_.pause(std::move(schedule), timetable.error());
    co_return;
  }
  const std::int64_t number = schedule.number;
  const TimePoint planned = *schedule.next_run;
  const Decision decision = decide(schedule, now, daytime_);
  if (decision.kind == Decision::Kind::missed) {
    missed.push_back(missed_of(schedule, *timetable, now, daytime_));
    co_return;
  }
  if (decision.kind == Decision::Kind::postpone) {
    core::log_info("schedules", "schedule {} waits for the end of the quiet hours", number);
    co_await store_.note_outcome(number, "waits for the end of the quiet hours", 0);
    co_await store_.set_next(number, decision.until);
    co_return;
  }
  const RunEnd end = co_await hooks_.run(std::move(schedule), planned, std::chrono::duration_cast<std::chrono::seconds>(now - planned));
  if (end == RunEnd::later) co_return;
  auto moved = co_await store_.move_on(number, planned, /*ran=*/true, run_after(*timetable, planned, now, daytime_));
  if (!moved) core::log_warning("schedules", "the run of schedule {} is not noted: {}", number, core::describe(moved.error()));
}

awaitable<void> Scheduler::align(TimePoint now, core::Daytime daytime) {
  auto schedules = co_await store_.all();
  if (!schedules) co_return;
  for (const db::ScheduleRow& schedule : *schedules) {
    if (schedule.state != "active") continue;
    const auto timetable = core::parse_timetable(schedule.timetable);
    if (!timetable) {
      db::ScheduleRow unreadable = schedule;
      co_await hooks_.pause(std::move(unreadable), timetable.error());
      continue;
    }
    const auto next = aligned(schedule, *timetable, now, daytime_, daytime);
    if (next == schedule.next_run) continue;
    core::log_info("schedules", "the next run of schedule {} is reckoned anew", schedule.number);
    co_await store_.set_next(schedule.number, next);
  }
}

}  // namespace steward::jobs
