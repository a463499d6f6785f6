#include "commands/charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>

#include "commands/database_reports.hpp"
#include "commands/table_sizes.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Context;
using report::Chart;

namespace {

using std::chrono::days;
using std::chrono::months;
using std::chrono::sys_days;
using std::chrono::year_month;
using std::chrono::year_month_day;

constexpr days longest_course{800};
constexpr months longest_months{60};

std::optional<int> number_at(std::string_view text, std::size_t from, std::size_t length) {
  int number = 0;
  const char* begin = text.data() + from;
  const auto [end, error] = std::from_chars(begin, begin + length, number);
  return error == std::errc() && end == begin + length ? std::optional(number) : std::nullopt;
}

// "2026-03".
std::optional<year_month> month_of(std::string_view text) {
  if (text.size() < 7 || text[4] != '-') return std::nullopt;
  const auto year = number_at(text, 0, 4), month = number_at(text, 5, 2);
  if (!year || !month) return std::nullopt;
  const year_month read{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)}};
  return read.ok() ? std::optional(read) : std::nullopt;
}

// "2026-03-31".
std::optional<sys_days> day_of(std::string_view text) {
  const auto month = month_of(text);
  const auto day = text.size() == 10 && text[7] == '-' ? number_at(text, 8, 2) : std::nullopt;
  if (!month || !day) return std::nullopt;
  const year_month_day date{month->year(), month->month(), std::chrono::day{static_cast<unsigned>(*day)}};
  return date.ok() ? std::optional(sys_days(date)) : std::nullopt;
}

std::string words(year_month month) { return fmt::format("{:04}-{:02}", static_cast<int>(month.year()), static_cast<unsigned>(month.month())); }

std::string words(sys_days day) {
  const year_month_day date{day};
  return fmt::format("{}-{:02}", words(year_month{date.year(), date.month()}), static_cast<unsigned>(date.day()));
}

Chart course(std::string name, std::string title, std::string labels_title, std::string values_title) {
  Chart chart;
  chart.kind = Chart::Kind::lines;
  chart.name = std::move(name);
  chart.title = std::move(title);
  chart.labels_title = std::move(labels_title);
  chart.values_title = std::move(values_title);
  return chart;
}

// Each day from the first to the last of them has its place.
void add_day(Chart& chart, sys_days day, std::optional<std::int64_t> value) {
  chart.labels.push_back(words(day));
  chart.series.front().values.push_back(value);
}

void add_forecast(Chart& chart, const db::DaySize& first, std::int64_t now, sys_days today) {
  const auto per_day = growth_per_day(first, now);
  if (!per_day) return;
  const auto back = static_cast<std::int64_t>(chart.labels.size());
  const std::int64_t ahead = std::clamp<std::int64_t>(back / 2, 7, 90);
  report::Series forecast{"forecast", {}, true};
  forecast.values.resize(chart.labels.size());
  forecast.values.back() = now;
  for (std::int64_t step = 1; step <= ahead; ++step) {
    add_day(chart, today + days(step), std::nullopt);
    const auto size = now + std::llround(*per_day * static_cast<double>(step));
    forecast.values.emplace_back(std::max<std::int64_t>(0, size));
  }
  chart.series.push_back(std::move(forecast));
}

}  // namespace

Chart size_chart(std::string name, std::string title, std::string labels_title, std::string values_title, const Named& sizes) {
  Chart chart = course(std::move(name), std::move(title), std::move(labels_title), std::move(values_title));
  chart.kind = Chart::Kind::bars;
  chart.series.emplace_back();
  for (const auto& [label, bytes] : sizes) {
    chart.labels.push_back(label);
    chart.series.front().values.emplace_back(bytes);
  }
  return chart;
}

Chart growth_chart(const std::vector<db::DaySize>& noted, std::int64_t now) {
  Chart chart = course("database-size", "Database size", "day (UTC)", "size");
  chart.series.push_back({"measured", {}});
  std::map<sys_days, std::int64_t> sizes;
  for (const db::DaySize& one : noted)
    if (const auto day = day_of(one.day)) sizes[*day] = one.bytes;
  if (sizes.empty()) return chart;
  // A clock that was set back must not make the last notes the future.
  const sys_days today = std::max(std::chrono::floor<days>(std::chrono::system_clock::now()), sizes.rbegin()->first);
  sizes[today] = now;
  for (sys_days day = std::max(sizes.begin()->first, today - longest_course); day <= today; day += days(1)) {
    const auto found = sizes.find(day);
    add_day(chart, day, found == sizes.end() ? std::nullopt : std::optional(found->second));
  }
  add_forecast(chart, noted.front(), now, today);
  return chart;
}

void add_growth_chart(command::Answer& answer, const std::vector<db::DaySize>& noted, std::int64_t now) {
  if (noted.size() < 2) answer.message.paragraph("Growth is known from the second day on.");
  else answer.charts.push_back(growth_chart(noted, now));
}

Chart month_chart(const Named& bytes_by_month) {
  Chart chart = course("media-by-month", "Media by month", "month of upload or caching (UTC)", "size of the month's files");
  chart.series.push_back({"media", {}});
  std::map<year_month, std::int64_t> sizes;
  for (const auto& [name, bytes] : bytes_by_month)
    if (const auto month = month_of(name)) sizes[*month] += bytes;
  if (sizes.empty()) return chart;
  const year_month last = sizes.rbegin()->first;
  for (year_month month = std::max(sizes.begin()->first, last - longest_months); month <= last; month += months(1)) {
    const auto found = sizes.find(month);
    chart.labels.push_back(words(month));
    chart.series.front().values.emplace_back(found == sizes.end() ? 0 : found->second);
  }
  return chart;
}

awaitable<core::Result<Named>> count_media(std::string by, std::int64_t limit, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  db::Arguments query;
  query.emplace_back("by", db::Value(std::move(by)));
  query.emplace_back("server", db::Value(context.options().server_name));
  query.emplace_back("limit", db::bind(limit));
  auto rows = co_await (*read)->query_within(report_limit, db::sql::media_usage, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  Named counted;
  for (const db::Row& row : *rows) counted.emplace_back(row.text("name").empty() ? "(unknown)" : row.text("name"), row.integer("bytes"));
  co_return counted;
}

awaitable<core::Result<Chart>> visits_chart(std::int64_t count, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  db::Arguments query;
  query.emplace_back("seconds", db::bind(std::chrono::seconds(days(count)).count()));
  query.emplace_back("limit", db::bind(count));
  auto rows = co_await (*read)->query_within(report_limit, db::sql::report_visits, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  Chart chart = course("people-by-day", "People by day", "day (UTC)", "people seen");
  chart.unit = Chart::Unit::count;
  chart.series.push_back({"people", {}});
  std::map<sys_days, std::int64_t> people;
  for (const db::Row& row : *rows)
    if (const auto day = day_of(row.text("name"))) people[*day] = row.integer("users");
  if (people.empty()) co_return chart;
  for (sys_days day = people.begin()->first; day <= people.rbegin()->first; day += days(1)) {
    const auto found = people.find(day);
    add_day(chart, day, found == people.end() ? 0 : found->second);
  }
  co_return chart;
}

}  // namespace steward::commands
