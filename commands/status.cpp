// status: the whole server on one screen. What needs Synapse's database is left out where there is no connection, and named.
// I/O thread; admin API and the read session. The manual page is status.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "commands/charts.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr auto growth_shown = std::chrono::days(30);
constexpr std::int64_t months_shown = 24;

// The card and the table say the same.
struct Report {
  std::optional<std::int64_t> database_bytes;
  std::vector<std::string> lines;
  command::DataTable table;
  void add(const std::string& label, const std::string& value) {
    lines.push_back(label + ": " + value);
    table.rows.push_back({label, value});
  }
};

std::string media_words(const db::Row& row, const char* files, const char* bytes) {
  return fmt::format("{}, {}", core::plural(row.integer(files), "file", "files"), core::format_size(core::Bytes{row.integer(bytes)}));
}

awaitable<void> add_database(Report& report, Context& context) {
  auto read = context.read();
  if (!read) {
    report.add("Left out", "database size, media, rooms, people, failing servers (no connection to Synapse's database)");
    co_return;
  }
  db::Arguments none;
  auto rows = co_await (*read)->query_within(std::chrono::minutes(1), db::sql::status_counts, std::move(none));
  if (!rows) {
    report.add("Left out", "what the database knows: " + core::describe(rows.error()));
    co_return;
  }
  const db::Row& row = rows->front();
  report.database_bytes = row.integer("database_bytes");
  report.add("Database", core::format_size(core::Bytes{row.integer("database_bytes")}));
  report.add("Local media", media_words(row, "local_files", "local_bytes"));
  report.add("Remote media", media_words(row, "remote_files", "remote_bytes") + " cached");
  report.add("People", fmt::format("{}, and {} deactivated, {} of bridges and bots", core::format_count(row.integer("people")),
                                   core::format_count(row.integer("deactivated")), core::format_count(row.integer("bridged"))));
  report.add("Rooms", fmt::format("{}, {} of them with members of this server", core::format_count(row.integer("rooms")),
                                  core::format_count(row.integer("living_rooms"))));
  report.add("Failing servers", fmt::format("{} of {}", core::format_count(row.integer("failing")), core::format_count(row.integer("servers"))));
}

// How the database grew and which months fill the media store.
awaitable<core::Result<void>> add_charts(Answer& answer, std::int64_t database_bytes, Context& context) {
  db::GrowthStore store(*context.services.store_session);
  auto days = co_await store.days(growth_shown);
  if (!days) co_return core::fail(days.error());
  add_growth_chart(answer, *days, database_bytes);
  auto months = co_await count_media("month", months_shown, context);
  if (!months) co_return core::fail(months.error());
  answer.charts.push_back(month_chart(*months));
  co_return core::Result<void>();
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  Report report;
  report.table.columns = {{"name"}, {"value"}};
  auto version = co_await context.admin().server_version();
  auto healthy = co_await context.admin().health();
  const bool up = healthy && *healthy;
  report.add("Synapse", version ? version->text + (up ? ", healthy" : ", its health check fails") : "away: " + core::describe(version.error()));
  co_await add_database(report, context);
  auto updates = co_await context.admin().background_updates();
  if (updates && !updates->enabled) report.add("Background updates", "paused");
  else if (updates && !updates->running.empty()) report.add("Background updates", core::join(updates->running, ", "));
  const auto running = context.services.runner->running();
  report.add("Work", running                              ? fmt::format("job {}, {}", *running, context.services.runner->running_header())
                     : context.services.runner->frozen() ? "frozen"
                                                          : "nothing runs");
  if (context.services.own_health) report.add("Bot", context.services.own_health());

  Answer answer;
  answer.message.title(fmt::format("{} · {}", context.options().server_name, up ? "up" : "not healthy"));
  answer.message.lines(report.lines);
  if (arguments.flag("chart") && report.database_bytes) {
    auto added = co_await add_charts(answer, *report.database_bytes, context);
    if (!added) answer.message.paragraph("A chart is left out: " + core::describe(added.error()));
  }
  answer.json = command::to_json(report.table);
  answer.rings = !up;
  if (arguments.flag("json")) answer.files.push_back({"status.json", "application/json", answer.json, "status"});
  co_return answer;
}

}  // namespace

Command status() {
  Command command;
  command.spec.name = "status";
  command.spec.alias = "s";
  command.spec.group = command::Group::general;
  command.spec.summary = "The server on one screen";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.arguments = {command::standard::chart(), command::standard::as_json()};
  command.spec.examples = {{"status", ""}, {"status --chart", "with the growth of the database and the media of each month as pictures"}};
  command.manual = manual("status");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
