#include "commands/alert_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "commands/host_actions.hpp"
#include "commands/space.hpp"
#include "commands/table_sizes.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Context;

namespace {

constexpr std::int64_t gigabyte = 1LL << 30;
constexpr std::int64_t hour = 3600, day = 24 * hour;
constexpr auto growth_window = std::chrono::hours(24 * 30);
constexpr auto measure_limit = std::chrono::seconds(30);

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

using Ask = awaitable<core::Result<Measures>> (*)(Context& context);

awaitable<core::Result<Measures>> ask_database(Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  db::Arguments none;
  auto rows = co_await (*read)->query_within(measure_limit, db::sql::alert_database, std::move(none));
  if (!rows) co_return core::fail(rows.error());
  const db::Row& row = rows->front();
  Measures measures;
  measures["connections"] = {row.integer("connections_percent"), core::plural(row.integer("connections"), "connection", "connections")};
  measures["oldest-transaction"] = {row.integer("oldest_seconds"),
                                    fmt::format("{}, process {}", core::clean_name(row.text("oldest_application")), row.integer("oldest_pid"))};
  measures["wraparound"] = {row.integer("wraparound_percent"), {}};
  co_return measures;
}

awaitable<core::Result<Measures>> ask_counts(Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  db::Arguments none;
  auto rows = co_await (*read)->query_within(measure_limit, db::sql::alert_counts, std::move(none));
  if (!rows) co_return core::fail(rows.error());
  const db::Row& row = rows->front();
  Measures measures;
  measures["failing-servers"] = {row.integer("failing"), {}};
  measures["registrations"] = {row.integer("registrations"), {}};
  measures["appservice-queue"] = {row.integer("queue"), core::clean_name(row.text("queue_of"))};
  measures["stuck-work"] = {row.integer("task_seconds"), core::clean_name(row.text("task"))};
  co_return measures;
}

void put_least(Measures& measures, const std::string& place, core::Bytes free) {
  const auto known = measures.find("disk-free");
  if (known == measures.end() || free.count < known->second.value) measures["disk-free"] = {free.count, core::clean_name(place)};
}

// Of the host's disks where steward-host may look, and of the database's where the bot runs beside it and may see where it is.
awaitable<core::Result<Measures>> ask_disk(Context& context) {
  Measures measures;
  auto disks = co_await disk_figures(context);
  if (disks)
    for (const DiskFigure& disk : *disks) put_least(measures, disk.place, disk.free);
  else if (disks.error().code != core::Code::not_found) co_return core::fail(disks.error());
  auto read = context.read();
  if (!read) co_return measures;
  auto reading = (*read)->transaction(read_host);
  auto host = co_await std::move(reading);
  if (!host) co_return core::fail(host.error());
  const Disk disk = disk_of(*host, "");
  if (disk.known) put_least(measures, host->data_directory, disk.free);
  co_return measures;
}

// The disk, and where the growth of the database leads on it.
awaitable<core::Result<Measures>> ask_space(Context& context) {
  auto measures = co_await ask_disk(context);
  if (!measures) co_return core::fail(measures.error());
  db::GrowthStore store(*context.services.store_session);
  auto days = co_await store.days(growth_window);
  if (!days) co_return core::fail(days.error());
  const auto per_day = days->size() < 2 ? std::nullopt : growth_per_day(days->front(), days->back().bytes);
  if (!per_day) co_return measures;
  (*measures)["database-growth"] = {static_cast<std::int64_t>(*per_day), fmt::format("since {}", days->front().day)};
  const auto free = measures->find("disk-free");
  if (free != measures->end() && *per_day > 0)
    (*measures)["disk-full-in"] = {static_cast<std::int64_t>(static_cast<double>(free->second.value) / *per_day * day), free->second.detail};
  co_return measures;
}

awaitable<core::Result<Measures>> ask_backup(Context& context) {
  auto dump = co_await newest_dump(context);
  if (!dump) co_return core::fail(dump.error());
  Measures measures;
  measures["backup-age"] = {dump->age.count(), core::clean_name(dump->name)};
  co_return measures;
}

struct Source {
  std::vector<std::string_view> gives;
  Ask ask;
  bool dear = false;  // whole tables, other programs
};

const std::array<Source, 4>& sources() {
  static const std::array<Source, 4> all{{
      {{"connections", "oldest-transaction", "wraparound"}, ask_database},
      {{"failing-servers", "registrations", "appservice-queue", "stuck-work"}, ask_counts, true},
      {{"disk-free", "disk-full-in", "database-growth"}, ask_space, true},
      {{"backup-age"}, ask_backup, true},
  }};
  return all;
}

core::Error wrong_limit(const Metric& metric, std::string_view text, std::string expected, std::string example) {
  return {core::Code::bad_input, core::echo_word(text) + " is no limit for " + std::string(metric.name), std::move(expected),
          fmt::format("Write !alert add {} {}", metric.name, example), {}};
}

}  // namespace

const std::vector<Metric>& metrics() {
  static const std::vector<Metric> all{
      {.name = "disk-free", .unit = Unit::bytes, .below = true, .urgent = true, .usual = 5 * gigabyte, .text = "free space of the fullest disk",
       .advice = "!report disk shows where it went, !purge-media and !vacuum-full what can be had back."},
      {.name = "disk-full-in", .unit = Unit::time, .below = true, .usual = 14 * day, .text = "time until the disk is full at the present growth",
       .advice = "!db-growth shows what grows."},
      {.name = "database-growth", .unit = Unit::bytes, .usual = 5 * gigabyte, .text = "growth of the database in a day, over the last 30",
       .advice = "!db-growth shows which tables."},
      {.name = "connections", .unit = Unit::percent, .usual = 90, .text = "connections to PostgreSQL, of those it allows",
       .advice = "!db-activity shows whose they are."},
      {.name = "oldest-transaction", .unit = Unit::time, .usual = 6 * hour, .text = "age of the oldest open transaction",
       .advice = "!db-activity shows it, !db-stop ends it."},
      {.name = "wraparound", .unit = Unit::percent, .usual = 50, .text = "transactions used since the oldest row was frozen, of those PostgreSQL allows",
       .advice = "!db shows it; !vacuum freezes."},
      {.name = "failing-servers", .unit = Unit::count, .rings = false, .usual = 500, .text = "servers that cannot be reached",
       .advice = "!query failing-servers lists them."},
      {.name = "registrations", .unit = Unit::count, .usual = 20, .text = "people who registered within an hour",
       .advice = "Look who they are before they write."},
      {.name = "stuck-work", .unit = Unit::time, .usual = 6 * hour, .text = "time since the slowest of Synapse's tasks told how far it is",
       .advice = "!query tasks lists them."},
      {.name = "appservice-queue", .unit = Unit::count, .rings = false, .usual = 1000, .text = "transactions that wait for one application service",
       .advice = "!appservices shows whose."},
      {.name = "backup-age", .unit = Unit::time, .urgent = false, .usual = 36 * hour, .text = "age of the newest dump, where steward-host may look",
       .advice = "!check-backup says more."},
      {.name = abuse_reports, .unit = Unit::count, .usual = 0, .text = "each new abuse report",
       .advice = ""},
  };
  return all;
}

const Metric* find_metric(std::string_view name) {
  const auto& all = metrics();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Metric& metric) { return metric.name == name; });
  return found == all.end() ? nullptr : &*found;
}

report::Limit limit_of(const Metric& metric, std::int64_t value) { return {value, metric.below}; }

core::Result<std::int64_t> parse_limit(const Metric& metric, std::string_view text) {
  if (metric.unit == Unit::bytes) {
    const auto size = core::parse_size(text);
    if (!size) return core::fail(wrong_limit(metric, text, "expected a size", "5G"));
    return size->count;
  }
  if (metric.unit == Unit::time) {
    const auto span = core::parse_duration(text);
    if (!span) return core::fail(wrong_limit(metric, text, "expected a duration", "12h"));
    return span->count();
  }
  if (metric.unit == Unit::percent && text.ends_with('%')) text = core::trim(text.substr(0, text.size() - 1));
  const auto count = parse_count(text);
  const bool percent = metric.unit == Unit::percent;
  if (!count || (percent && *count > 100))
    return core::fail(wrong_limit(metric, text, percent ? "expected a percentage from 0 to 100" : "expected a whole number", percent ? "90" : "100"));
  if (metric.name == abuse_reports && *count != 0) return core::fail(wrong_limit(metric, text, "each new one is told: its limit is 0", "0"));
  return *count;
}

std::string write_limit(const Metric& metric, std::int64_t value) {
  if (metric.unit == Unit::time) return core::write_duration(std::chrono::seconds(value));
  if (metric.unit == Unit::bytes) {
    for (const auto& [unit, letter] : {std::pair(1LL << 40, 'T'), std::pair(1LL << 30, 'G'), std::pair(1LL << 20, 'M'), std::pair(1LL << 10, 'k')})
      if (value != 0 && value % unit == 0) return fmt::format("{}{}", value / unit, letter);
    return fmt::format("{}B", value);
  }
  return std::to_string(value);
}

std::string value_words(const Metric& metric, std::int64_t value) {
  switch (metric.unit) {
    case Unit::bytes: return core::format_size(core::Bytes{value});
    case Unit::time: return core::format_duration(std::chrono::seconds(value));
    case Unit::percent: return fmt::format("{} %", value);
    case Unit::count: break;
  }
  return core::format_count(value);
}

awaitable<Measures> measure(std::set<std::string, std::less<>> wanted, bool all, Context& context) {
  Measures measures;
  for (const Source& source : sources()) {
    const bool needed = std::any_of(source.gives.begin(), source.gives.end(), [&](std::string_view name) { return wanted.contains(name); });
    if (!needed || (source.dear && !all)) continue;
    auto asking = source.ask(context);
    auto found = co_await std::move(asking);
    if (found) measures.merge(std::move(*found));
    else if (found.error().code != core::Code::not_found)
      core::log_info("alerts", "{} cannot be measured: {}", source.gives.front(), core::describe(found.error()));
  }
  co_return measures;
}

}  // namespace steward::commands
