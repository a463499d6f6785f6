#include "commands/report_figures.hpp"

#include <fmt/format.h>

#include <array>

#include "commands/database_reports.hpp"
#include "commands/releases.hpp"
#include "commands/space.hpp"
#include "db/sqlstate.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Context;

namespace {

constexpr auto day = std::chrono::hours(24);
constexpr auto kept = day * 400;
constexpr auto least_for_forecast = std::chrono::hours(20);

constexpr std::array<const char*, 11> counted{"database_bytes", "local_files", "local_bytes", "remote_files", "remote_bytes", "people",
                                              "bridged",        "rooms",       "living_rooms", "servers",      "failing"};

awaitable<void> count_server(ReportFigures& figures, Context& context) {
  db::Session& read = *context.services.read;
  db::Arguments none;
  auto rows = co_await read.query_within(report_limit, db::sql::status_counts, std::move(none));
  if (!rows) {
    figures.left_out.push_back("sizes and counts: " + core::describe(rows.error()));
    co_return;
  }
  for (const char* name : counted) figures.now[name] = rows->front().integer(name);
}

awaitable<void> count_people(ReportFigures& figures, Context& context) {
  db::Session& read = *context.services.read;
  db::Arguments window;
  window.emplace_back("seconds", db::bind(figures.window.count()));
  auto rows = co_await read.query_within(report_limit, db::sql::figures_people, std::move(window));
  if (!rows) {
    figures.left_out.push_back("people, events, abuse reports: " + core::describe(rows.error()));
    co_return;
  }
  const db::Row& row = rows->front();
  figures.now[fmt::format("active_{}d", figures.window / day)] = row.integer("active");
  figures.now[fmt::format("new_people_{}d", figures.window / day)] = row.integer("new_people");
  figures.now["events_position"] = row.integer("events_position");
  std::int64_t abuse = row.integer("reported_events");
  auto others = co_await read.query(db::sql::figures_abuse);
  if (others) abuse += others->front().integer("reports");
  else if (others.error().source != db::undefined_table) figures.left_out.push_back("reported users and rooms: " + core::describe(others.error()));
  figures.now["abuse"] = abuse;
}

awaitable<void> measure_disk(ReportFigures& figures, Context& context) {
  auto reading = context.services.read->transaction(read_host);
  auto host = co_await std::move(reading);
  if (!host) co_return;
  const Disk disk = disk_of(*host, "");
  if (disk.known) figures.now["disk_free"] = disk.free.count;
}

// Not configured is no fault: the disk below the database is known without it, where the bot runs beside it.
awaitable<void> ask_for_disks(ReportFigures& figures, Context& context) {
  auto disks = co_await disk_figures(context);
  if (disks) figures.disks = std::move(*disks);
  else if (disks.error().code != core::Code::not_found) figures.left_out.push_back("disks: " + core::describe(disks.error()));
}

}  // namespace

std::optional<std::int64_t> ReportFigures::value(const std::string& name) const {
  const auto found = now.find(name);
  return found == now.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::int64_t> ReportFigures::value_before(const std::string& name) const {
  if (!before) return std::nullopt;
  const auto found = before->values.find(name);
  return found == before->values.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::int64_t> days_until_full(const ReportFigures& figures) {
  const auto free = figures.value("disk_free"), size = figures.value("database_bytes");
  if (!free || !size || figures.days.empty() || figures.days.front().age < least_for_forecast) return std::nullopt;
  const std::int64_t grown = *size - figures.days.front().bytes;
  if (grown <= 0) return std::nullopt;
  const double per_day = static_cast<double>(grown) * 86400.0 / static_cast<double>(figures.days.front().age.count());
  return static_cast<std::int64_t>(static_cast<double>(*free) / per_day);
}

awaitable<core::Result<ReportFigures>> gather_figures(std::chrono::seconds window, Context& context) {
  ReportFigures figures;
  figures.window = window;
  auto version = co_await context.admin().server_version();
  auto healthy = co_await context.admin().health();
  figures.healthy = version && healthy && *healthy;
  figures.synapse = version ? version->text + ", " + releases_behind(*version) : "away";
  if (version && !figures.healthy) figures.synapse += ", its health check fails";
  if (context.services.read) {
    co_await count_server(figures, context);
    co_await count_people(figures, context);
    co_await measure_disk(figures, context);
  } else {
    figures.left_out.emplace_back("everything but the bot's own work: there is no connection to Synapse's database");
  }
  co_await ask_for_disks(figures, context);
  db::GrowthStore sizes(*context.services.store_session);
  auto days = co_await sizes.days(day * 30);
  if (!days) co_return core::fail(days.error());
  figures.days = std::move(*days);
  db::FigureStore store(*context.services.store_session);
  auto before = co_await store.before(window);
  if (!before) co_return core::fail(before.error());
  figures.before = std::move(*before);
  auto work = co_await store.work(window);
  if (!work) co_return core::fail(work.error());
  figures.work = *work;
  core::Result<void> noted;
  if (!figures.now.empty()) noted = co_await store.keep(figures.now);
  if (!noted) co_return core::fail(noted.error());
  auto forgotten = co_await store.forget_older_than(kept);
  if (!forgotten) co_return core::fail(forgotten.error());
  co_return figures;
}

}  // namespace steward::commands
