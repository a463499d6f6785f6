// Timetables: how they are written, and that no run is lost or doubled when clocks change. The oracle goes minute by minute.
#include <date/tz.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "core/timetable.hpp"

namespace steward::core {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> zones{"UTC",           "Europe/Berlin",   "America/New_York", "America/St_Johns", "Australia/Lord_Howe",
                                     "Asia/Kathmandu", "America/Santiago", "Asia/Beirut",      "Africa/Casablanca", "Pacific/Apia"};

Daytime in_zone(std::string zone) {
  Daytime daytime;
  daytime.zone = std::move(zone);
  return daytime;
}

TimePoint utc(const std::string& text) { return *parse_date(text, "UTC"); }

std::vector<TimePoint> runs(const Timetable& table, TimePoint from, TimePoint until, const Daytime& daytime) {
  std::vector<TimePoint> all;
  for (auto time = next_run(table, from - minutes(1), daytime); time && *time < until; time = next_run(table, *time, daytime)) all.push_back(*time);
  return all;
}

std::vector<std::string> shown(const std::string& text, const std::string& from, int count, const std::string& zone) {
  const auto table = parse_timetable(text);
  if (!table) return {describe(table.error())};
  std::vector<std::string> all;
  std::optional<TimePoint> time = *parse_date(from, zone);
  for (int index = 0; index < count && time; ++index) {
    time = next_run(*table, *time, in_zone(zone));
    if (time) all.push_back(format_time(*time, zone));
  }
  return all;
}

TEST(Timetable, UnderstandsItsForms) {
  EXPECT_THAT(shown("daily 03:00", "2026-11-26", 2, "UTC"), ElementsAre("26 Nov 2026 03:00", "27 Nov 2026 03:00"));
  EXPECT_THAT(shown("Sun  04:30", "2026-11-26", 2, "Europe/Berlin"), ElementsAre("29 Nov 2026 04:30", "6 Dec 2026 04:30"));
  EXPECT_THAT(shown("mon,thu 04:30", "2026-11-26", 2, "UTC"), ElementsAre("26 Nov 2026 04:30", "30 Nov 2026 04:30"));
  EXPECT_THAT(shown("sat-mon 04:30", "2026-11-26", 3, "UTC"), ElementsAre("28 Nov 2026 04:30", "29 Nov 2026 04:30", "30 Nov 2026 04:30"));
  EXPECT_THAT(shown("1st 02:00", "2026-11-26", 2, "UTC"), ElementsAre("1 Dec 2026 02:00", "1 Jan 2027 02:00"));
  EXPECT_THAT(shown("31st 02:00", "2026-11-26", 2, "UTC"), ElementsAre("31 Dec 2026 02:00", "31 Jan 2027 02:00"));
  EXPECT_THAT(shown("every 6h", "2026-11-26T01:30", 2, "UTC"), ElementsAre("26 Nov 2026 07:30", "26 Nov 2026 13:30"));
  EXPECT_THAT(shown("0 3 * * *", "2026-11-26", 1, "UTC"), ElementsAre("26 Nov 2026 03:00"));
  EXPECT_THAT(shown("*/20 8-18/5 * jan-mar *", "2026-11-26", 4, "UTC"),
              ElementsAre("1 Jan 2027 08:00", "1 Jan 2027 08:20", "1 Jan 2027 08:40", "1 Jan 2027 13:00"));
  // Both kinds of day: one of them suffices.
  EXPECT_THAT(shown("0 0 13 * fri", "2026-11-01", 3, "UTC"), ElementsAre("6 Nov 2026 00:00", "13 Nov 2026 00:00", "20 Nov 2026 00:00"));
  EXPECT_THAT(shown("0 0 * * 7", "2026-11-26", 1, "UTC"), ElementsAre("29 Nov 2026 00:00"));
  EXPECT_THAT(shown("0 0 29 2 *", "2026-11-26", 2, "UTC"), ElementsAre("29 Feb 2028 00:00", "29 Feb 2032 00:00"));
}

TEST(Timetable, OnceOnly) {
  const TimePoint now = utc("2026-11-26");
  EXPECT_EQ(first_run(*parse_timetable("in 2h"), now, {}), now + hours(2));
  EXPECT_EQ(next_run(*parse_timetable("in 2h"), now, {}), std::nullopt);
  EXPECT_EQ(first_run(*parse_timetable("2026-12-24T18:00"), now, in_zone("Europe/Berlin")), utc("2026-12-24T17:00"));
  EXPECT_EQ(first_run(*parse_timetable("2026-11-25"), now, {}), std::nullopt);
  EXPECT_EQ(parse_timetable("2026-12-24T18:00")->text, "2026-12-24T18:00");
}

TEST(Timetable, FollowsTheReportHours) {
  Daytime daytime = in_zone("UTC");
  const auto table = *parse_timetable("daily report-hours");
  EXPECT_EQ(next_run(table, utc("2026-11-26"), daytime), std::nullopt) << "the hours are off";
  daytime.report_hours = hours(8);
  EXPECT_EQ(next_run(table, utc("2026-11-26"), daytime), utc("2026-11-26T08:00"));
}

TEST(Timetable, MissingAndDoubledHour) {
  // Berlin 2026: 29 March 02:00 → 03:00, 25 October 03:00 → 02:00.
  EXPECT_THAT(shown("daily 02:30", "2026-03-28T12:00", 2, "Europe/Berlin"), ElementsAre("29 Mar 2026 03:00", "30 Mar 2026 02:30"));
  EXPECT_THAT(shown("0,30 2,3 * * *", "2026-03-28T12:00", 3, "Europe/Berlin"), ElementsAre("29 Mar 2026 03:00", "29 Mar 2026 03:30", "30 Mar 2026 02:00"));
  EXPECT_THAT(shown("daily 02:30", "2026-10-24T12:00", 2, "Europe/Berlin"), ElementsAre("25 Oct 2026 02:30", "26 Oct 2026 02:30"));
  EXPECT_EQ(next_run(*parse_timetable("daily 02:30"), utc("2026-10-24T12:00"), in_zone("Europe/Berlin")), utc("2026-10-25T00:30"));
  // From within the second of the two hours: not once more.
  EXPECT_EQ(next_run(*parse_timetable("daily 02:30"), utc("2026-10-25T01:10"), in_zone("Europe/Berlin")), utc("2026-10-26T01:30"));
  // Every hour means the hours that pass.
  EXPECT_EQ(runs(*parse_timetable("30 * * * *"), utc("2026-10-24T22:00"), utc("2026-10-25T23:00"), in_zone("Europe/Berlin")).size(), 25U);
  EXPECT_EQ(runs(*parse_timetable("30 * * * *"), utc("2026-03-28T23:00"), utc("2026-03-29T22:00"), in_zone("Europe/Berlin")).size(), 23U);
}

TEST(Timetable, PointsAtTheWrongWord) {
  const auto caret = [](const std::string& text) {
    const auto table = parse_timetable(text);
    return table ? "understood" : table.error().what;
  };
  EXPECT_THAT(caret("daily 25:00"), HasSubstr("\ndaily 25:00\n      ^^^^^"));
  EXPECT_THAT(caret("daily"), HasSubstr("\ndaily \n      ^"));
  EXPECT_THAT(caret("0 3 32 * *"), HasSubstr("\n0 3 32\n    ^^"));
  EXPECT_THAT(caret("0 3 32 * *"), HasSubstr("day of the month"));
  EXPECT_THAT(caret("0 0 31 2 *"), HasSubstr("never comes"));
  EXPECT_THAT(caret("every 10s"), HasSubstr("too short"));
  EXPECT_THAT(caret("every 6"), HasSubstr("\nevery 6\n      ^"));
  EXPECT_THAT(caret("in 2h 5"), HasSubstr("one word too many"));
  EXPECT_THAT(caret("32nd 02:00"), HasSubstr("day of the month"));
  EXPECT_THAT(caret("2026-02-30"), HasSubstr("not a date"));
  EXPECT_THAT(parse_timetable("dayly 03:00").error().why, HasSubstr("daily"));
  for (const std::string text : {"", "  ", "noon", "* * * *", "* * * * * *", "5 x * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "1st", "every", "in -2h", "٣ * * * *"})
    EXPECT_FALSE(parse_timetable(text)) << text;
}

TEST(Timetable, QuietHours) {
  Daytime daytime = in_zone("Europe/Berlin");
  EXPECT_EQ(quiet_until(utc("2026-11-26T03:00"), daytime), std::nullopt);
  daytime.quiet_hours = std::pair(minutes(22 * 60), minutes(7 * 60));
  EXPECT_EQ(quiet_until(utc("2026-11-26T03:00"), daytime), utc("2026-11-26T06:00"));
  EXPECT_EQ(quiet_until(utc("2026-11-26T22:00"), daytime), utc("2026-11-27T06:00"));
  EXPECT_EQ(quiet_until(utc("2026-11-26T06:00"), daytime), std::nullopt);
}

// What is due by the clock's face in this minute: it shows a matching time for the first time, or it jumped over one.
bool due_by_face(const std::set<int>& times, const date::time_zone& zone, TimePoint moment) {
  const auto info = zone.get_info(moment);
  const auto local = date::floor<minutes>(zone.to_local(moment));
  const auto of_day = [](date::local_time<minutes> time) { return static_cast<int>((time - date::floor<date::days>(time)).count()); };
  const auto local_info = zone.get_info(local);
  const bool second = local_info.result == date::local_info::ambiguous && info.offset == local_info.second.offset;
  if (times.contains(of_day(local)) && !second) return true;
  if (TimePoint(info.begin) != moment) return false;
  const auto before = zone.get_info(moment - minutes(1));
  for (auto skipped = local - std::chrono::duration_cast<minutes>(info.offset - before.offset); skipped < local; skipped += minutes(1))
    if (times.contains(of_day(skipped))) return true;
  return false;
}

RC_GTEST_PROP(TimetableProperty, NothingIsLostOrDoubledWhereClocksChange, ()) {
  const std::string name = *rc::gen::elementOf(zones);
  const auto* zone = date::locate_zone(name);
  const int minute = *rc::gen::inRange(0, 60);
  const auto chosen = *rc::gen::nonEmpty(rc::gen::container<std::set<int>>(rc::gen::inRange(0, 24)));
  RC_PRE(chosen.size() < 24U);
  // Around each change of the year.
  for (auto info = zone->get_info(utc("2026-01-01")); info.end < utc("2027-01-01"); info = zone->get_info(info.end)) {
    std::string text = std::to_string(minute) + " ";
    std::set<int> times;
    for (const int hour : chosen) {
      text += (times.empty() ? "" : ",") + std::to_string(hour);
      times.insert(hour * 60 + minute);
    }
    const TimePoint from = date::floor<minutes>(info.end) - hours(30), until = from + hours(60);
    std::vector<TimePoint> expected;
    for (TimePoint moment = from; moment < until; moment += minutes(1))
      if (due_by_face(times, *zone, moment)) expected.push_back(moment);
    RC_ASSERT(runs(*parse_timetable(text + " * * *"), from, until, in_zone(name)) == expected);
  }
}

RC_GTEST_PROP(TimetableProperty, ADailyRunComesOnceADayAllYear, ()) {
  const std::string name = *rc::gen::elementOf(zones);
  const int time = *rc::gen::inRange(0, 24 * 60);
  const int year = *rc::gen::inRange(2020, 2035);
  char text[32];
  std::snprintf(text, sizeof text, "daily %02d:%02d", time / 60, time % 60);
  const TimePoint from = *parse_date(std::to_string(year) + "-01-01", name), until = *parse_date(std::to_string(year + 1) + "-01-01", name);
  std::set<std::string> days;
  const auto all = runs(*parse_timetable(text), from, until, in_zone(name));
  for (const TimePoint moment : all) RC_ASSERT(days.insert(format_date(moment, name)).second);
  RC_ASSERT(all.size() == (year % 4 == 0 ? 366U : 365U));
}

rc::Gen<std::string> forms() {
  return rc::gen::element<std::string>("daily 02:30", "sun 00:00", "1st 23:59", "every 7h", "*/7 * * * *", "15 2,3 * * *", "0 0 29 2 *", "0 0 13 * fri", "mon-fri 02:00");
}

RC_GTEST_PROP(TimetableProperty, GoesForward, ()) {
  const auto table = *parse_timetable(*forms());
  const Daytime daytime = in_zone(*rc::gen::elementOf(zones));
  const auto start = *rc::gen::inRange<std::int64_t>(0, 20LL * 365 * 86400);
  const TimePoint first = utc("2020-01-01") + std::chrono::seconds(start);
  const TimePoint later = first + std::chrono::seconds(*rc::gen::inRange(0, 90 * 86400));
  const auto next = next_run(table, first, daytime), after_next = next_run(table, *next, daytime), of_later = next_run(table, later, daytime);
  RC_ASSERT(*next > first);
  RC_ASSERT(*after_next > *next);
  RC_ASSERT(*of_later >= *next);
  // Nothing between: from just before a run one comes to it.
  if (table.kind == Timetable::Kind::calendar) RC_ASSERT(next_run(table, *next - std::chrono::milliseconds(1), daytime) == next);
}

RC_GTEST_PROP(TimetableProperty, ReadsBackAsItself, ()) {
  const auto table = *parse_timetable(*forms());
  RC_ASSERT(parse_timetable(table.text)->text == table.text);
}

RC_GTEST_PROP(TimetableProperty, AnyTextIsAnsweredWithoutHarm, (const std::string& text)) {
  const auto table = parse_timetable(text);
  if (!table) RC_ASSERT(table.error().code == Code::bad_input);
}

}  // namespace
}  // namespace steward::core
