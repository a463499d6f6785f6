#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "core/units.hpp"

namespace steward::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr std::int64_t day = 86400;

TEST(Duration, ReadsEveryUnit) {
  const std::vector<std::pair<std::string, std::int64_t>> table{
      {"45s", 45},        {"30m", 1800},
      {"30min", 1800},    {"12h", 43200},
      {"30d", 30 * day},  {"2w", 14 * day},
      {"6mo", 180 * day}, {"1y", 365 * day},
      {"1d12h", 129600},  {"1y2mo3w4d5h6m7s", 450 * day + 18367},
      {"030d", 30 * day}, {"30D", 30 * day},
      {"1H", 3600},       {"100y", 36500 * day},
      {"2MO", 60 * day},
  };
  for (const auto& [text, expected] : table) {
    const auto duration = parse_duration(text);
    ASSERT_TRUE(duration) << text << ": " << describe(duration.error());
    EXPECT_EQ(duration->count(), expected) << text;
  }
}

TEST(Duration, RefusesWithAReason) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"", "empty"},
      {"30", "no unit"},
      {"0d", "zero"},
      {"-5d", "negative"},
      {"99999999999d", "100 years"},
      {"99999999999999999999999999d", "100 years"},
      {"٣٠d", "digits"},
      {"30٣d", "digits"},
      {"−5d", "digits"},
      {"30 d", "not a unit"},
      {"d", "number"},
      {"30x", "not a unit"},
      {"30M", "not a unit"},
      {"1d1d", "larger units"},
      {"12h1d", "larger units"},
      {"1d12", "no unit"},
      {"1.5d", "not a unit"},
      {"30m1min", "larger units"},
      {"101y", "100 years"},
      {"+5d", "number"},
      {"soon", "number"},
      {"30d!", "not a unit"},
      {std::string("30d\0", 4), "not a unit"},
  };
  for (const auto& [text, why] : table) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().code, Code::bad_input) << text;
    EXPECT_THAT(duration.error().why, HasSubstr(why)) << text;
    EXPECT_FALSE(duration.error().next.empty()) << text;
  }
}

TEST(Duration, GivesBothReadingsOfABareNumber) {
  EXPECT_EQ(parse_duration("30").error().next, "Write 30d for 30 days or 30m for 30 minutes.");
}

RC_GTEST_PROP(DurationProperty, WritesWhatItReads, ()) {
  const auto count = *rc::gen::inRange<std::int64_t>(1, std::int64_t{36500} * day + 1);
  const auto read = parse_duration(write_duration(seconds(count)));
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->count() == count);
}

RC_GTEST_PROP(DurationProperty, NeverBreaksOnAnyText, (const std::string& text)) {
  const auto read = parse_duration(text);
  if (read) RC_ASSERT(read->count() > 0 && read->count() <= 36500 * day);
  if (!read) RC_ASSERT(read.error().code == Code::bad_input);
}

TEST(Duration, WritesTheShortForm) {
  EXPECT_EQ(write_duration(seconds(30 * day + day)), "31d");
  EXPECT_EQ(write_duration(seconds(129600)), "1d12h");
  EXPECT_EQ(write_duration(seconds(14 * day)), "2w");
  EXPECT_EQ(write_duration(seconds(400 * day)), "400d");
  EXPECT_EQ(write_duration(seconds(0)), "0s");
}

TEST(Duration, FormatsForPeople) {
  const std::vector<std::pair<std::int64_t, std::string>> table{
      {0, "0 s"},        {400, "0.4 s"},           {2000, "2 s"},          {9949, "9.9 s"},  {9950, "10 s"},
      {41000, "41 s"},   {59600, "1 min"},         {130000, "2 min 10 s"}, {3599600, "1 h"}, {11100000, "3 h 5 min"},
      {86399000, "1 d"}, {1051200000, "12 d 4 h"}, {-2500, "-2.5 s"},
  };
  for (const auto& [ms, text] : table) EXPECT_EQ(format_duration(milliseconds(ms)), text) << ms;
}

TEST(Duration, FormatsAges) {
  const std::vector<std::pair<std::int64_t, std::string>> table{
      {-3, "0 s"},
      {40, "40 s"},
      {300, "5 min"},
      {7200, "2 h"},
      {day, "1 day"},
      {59 * day, "59 days"},
      {60 * day, "2 months"},
      {245 * day, "8 months"},
      {729 * day, "23 months"},
      {730 * day, "2 years"},
  };
  for (const auto& [s, text] : table) EXPECT_EQ(format_age(seconds(s)), text) << s;
}

TEST(Size, ReadsEveryUnit) {
  const std::vector<std::pair<std::string, std::int64_t>> table{
      {"500k", 512000},
      {"500kB", 512000},
      {"10M", 10485760},
      {"10MB", 10485760},
      {"10MiB", 10485760},
      {"2G", 2147483648},
      {"1.5G", 1610612736},
      {"812B", 812},
      {"1T", std::int64_t{1} << 40},
      {"1024P", std::int64_t{1} << 60},
  };
  for (const auto& [text, expected] : table) {
    const auto size = parse_size(text);
    ASSERT_TRUE(size) << text << ": " << describe(size.error());
    EXPECT_EQ(size->count, expected) << text;
  }
}

TEST(Size, RefusesWithAReason) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"", "empty"},
      {"500", "no unit"},
      {"0M", "zero"},
      {"-5M", "negative"},
      {"٣M", "digits"},
      {"1025P", "larger"},
      {"99999999999999999999999P", "larger"},
      {"5X", "not a unit"},
      {"5kk", "not a unit"},
      {"5BB", "not a unit"},
      {"1.M", "point"},
      {".5M", "number"},
      {"5 M", "not a unit"},
      {"0.1B", "zero"},
      {"1.5", "no unit"},
  };
  for (const auto& [text, why] : table) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code, Code::bad_input) << text;
    EXPECT_THAT(size.error().why, HasSubstr(why)) << text;
  }
}

RC_GTEST_PROP(SizeProperty, ReadsBackWhatItPrintsWithinItsOneDecimal, ()) {
  const auto count = *rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << 59);
  std::string text = format_size(Bytes{count});
  std::erase(text, ' ');
  const auto read = parse_size(text);
  RC_ASSERT(read.has_value());
  const auto difference = std::abs(static_cast<double>(read->count) - static_cast<double>(count));
  RC_ASSERT(difference <= 0.051 * static_cast<double>(count));
}

RC_GTEST_PROP(SizeProperty, ExactForWholeUnits, ()) {
  const auto number = *rc::gen::inRange<std::int64_t>(1, 1024);
  const auto power = *rc::gen::inRange(1, 6);
  const auto read = parse_size(std::to_string(number) + "kMGTP"[power - 1]);
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->count == number << (10 * power));
}

TEST(Size, FormatsForPeople) {
  const std::vector<std::pair<std::int64_t, std::string>> table{
      {0, "0 B"},          {812, "812 B"},     {1023, "1023 B"}, {1024, "1.0 kB"}, {1503238553, "1.4 GB"},
      {1048575, "1.0 MB"}, {-2048, "-2.0 kB"},
  };
  for (const auto& [bytes, text] : table) EXPECT_EQ(format_size(Bytes{bytes}), text) << bytes;
}

TEST(Count, SetsThousandsApart) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1\u202f000");
  EXPECT_EQ(format_count(1204331), "1\u202f204\u202f331");
  EXPECT_EQ(format_count(-1204331), "-1\u202f204\u202f331");
  EXPECT_EQ(format_count(std::numeric_limits<std::int64_t>::min()),
            "-9\u202f223\u202f372\u202f036\u202f854\u202f775\u202f808");
}

TEST(Calendar, KnowsZones) {
  EXPECT_TRUE(check_time_zone("UTC"));
  EXPECT_TRUE(check_time_zone("Europe/Berlin"));
  EXPECT_THAT(check_time_zone("Europe/Berln").error().next, HasSubstr("Europe/Berlin"));
  EXPECT_THAT(check_time_zone("berlin").error().next, HasSubstr("Europe/Berlin"));
  EXPECT_EQ(check_time_zone("").error().code, Code::bad_input);
  EXPECT_FALSE(check_time_zone("../../etc/passwd"));
  EXPECT_FALSE(check_time_zone("/etc/localtime"));
}

TEST(Calendar, PrintsInTheZone) {
  const TimePoint time = from_unix_ms(1772543100000);  // 2026-03-03 13:05 UTC
  EXPECT_EQ(to_unix_ms(time), 1772543100000);
  EXPECT_EQ(format_time(time, "UTC"), "3 Mar 2026 13:05");
  EXPECT_EQ(format_time(time, "Europe/Berlin"), "3 Mar 2026 14:05");
  EXPECT_EQ(format_time(time, "No/Where"), "3 Mar 2026 13:05");
  EXPECT_EQ(format_date(time, "Pacific/Auckland"), "4 Mar 2026");
  EXPECT_EQ(format_time(from_unix_ms(-1), "UTC"), "31 Dec 1969 23:59");
}

TEST(Calendar, ReadsDates) {
  EXPECT_EQ(to_unix_ms(*parse_date("2026-03-03", "UTC")), 1772496000000);
  EXPECT_EQ(to_unix_ms(*parse_date("2026-03-03T14:05", "Europe/Berlin")), 1772543100000);
  EXPECT_TRUE(parse_date("2024-02-29", "UTC"));
  // Clocks go back: the first of the two 02:30.
  EXPECT_EQ(to_unix_ms(*parse_date("2026-10-25T02:30", "Europe/Berlin")), 1792888200000);
}

TEST(Calendar, RefusesWhatIsNoDate) {
  const std::vector<std::string> table{"",
                                       "2026",
                                       "2026-1-31",
                                       "2026-02-29",
                                       "2026-13-01",
                                       "2026-00-10",
                                       "2026-01-31T24:00",
                                       "2026-01-31T10:60",
                                       "2026-01-31 18:00",
                                       "31.01.2026",
                                       "2026-01-3٣",
                                       "2026-01-31T18:00Z",
                                       "-026-01-31",
                                       "2026-01-31T18:00:00"};
  for (const std::string& text : table) {
    const auto date = parse_date(text, "UTC");
    ASSERT_FALSE(date) << text;
    EXPECT_EQ(date.error().code, Code::bad_input) << text;
  }
  const auto skipped = parse_date("2026-03-29T02:30", "Europe/Berlin");
  ASSERT_FALSE(skipped);
  EXPECT_THAT(skipped.error().why, HasSubstr("skip that hour"));
}

RC_GTEST_PROP(CalendarProperty, AMinuteReadsBackAsItself, ()) {
  const auto minutes = *rc::gen::inRange<std::int64_t>(0, 60LL * 24 * 365 * 100);
  const TimePoint time = from_unix_ms(minutes * 60000);
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const auto in_day = std::chrono::duration_cast<std::chrono::minutes>(time - days).count();
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d", int(date.year()), unsigned(date.month()),
                unsigned(date.day()), int(in_day / 60), int(in_day % 60));
  const auto read = parse_date(text, "UTC");
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == time);
}

}  // namespace
}  // namespace steward::core
