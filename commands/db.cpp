// db: the health of Synapse's database on one card. One statement over the catalogue and PostgreSQL's statistics, and the bot's own
// daily sizes for the growth. I/O thread; read session. The manual page is db.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "core/text.hpp"
#include "db/growth_store.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr std::int64_t long_transaction_seconds = 600;
constexpr double poor_cache_percent = 90;
constexpr auto growth_window = std::chrono::hours(24 * 30);

std::string size(const db::Row& row, const char* column) { return core::format_size(core::Bytes{row.integer(column)}); }
std::string age(const db::Row& row, const char* column) { return core::format_age(std::chrono::seconds(row.integer(column))); }

std::string mark(bool bad) { return bad ? "⚠ " : ""; }

std::string transaction_text(const db::Row& row) {
  if (row.is_null("oldest_seconds")) return "none open";
  const std::string application = row.text("oldest_application");
  return fmt::format("{}{}, pid {} ({}, {})", mark(row.integer("oldest_seconds") > long_transaction_seconds), age(row, "oldest_seconds"),
                     row.integer("oldest_pid"), application.empty() ? "unnamed" : core::clean_name(application), row.text("oldest_state"));
}

std::string dead_text(const db::Row& row) {
  const std::int64_t dead = row.integer("dead_rows"), all = dead + row.integer("live_rows");
  std::string text = fmt::format("{} of {} ({:.1f} %)", core::format_count(dead), core::plural(all, "row", "rows"),
                                 all == 0 ? 0.0 : 100.0 * static_cast<double>(dead) / static_cast<double>(all));
  if (!row.is_null("worst_table")) text += fmt::format(", most in {}", row.text("worst_table"));
  return text;
}

std::string connections_text(const db::Row& row) {
  const std::int64_t used = row.integer("cluster_connections"), most = row.integer("max_connections");
  std::string text = fmt::format("{}{} here, {} of {} in use", mark(used * 10 > most * 9), row.integer("connections"), used, most);
  if (row.integer("idle_in_transaction") > 0) text += fmt::format(", {} idle in a transaction", row.integer("idle_in_transaction"));
  if (row.integer("blocked") > 0) text += fmt::format(", ⚠ {} waiting for a lock", row.integer("blocked"));
  return text;
}

std::string replication_text(const db::Row& row) {
  if (row.boolean("in_recovery")) return "this is a replica";
  if (row.integer("replicas") == 0 && row.integer("slots") == 0) return "none";
  std::string text = core::plural(row.integer("replicas"), "replica", "replicas");
  if (!row.is_null("lag_bytes")) text += fmt::format(", {} behind", size(row, "lag_bytes"));
  if (row.integer("slots") > 0) text += fmt::format(", {} {} of log kept", core::plural(row.integer("slots"), "slot", "slots"), size(row, "retained_bytes"));
  if (row.integer("inactive_slots") > 0) text += fmt::format(", ⚠ {} unused: they fill the disk", row.integer("inactive_slots"));
  return text;
}

command::DataTable table_of(const db::Row& row, const std::string& growth, const std::string& zone) {
  command::DataTable table;
  table.columns = {{"name"}, {"value"}};
  const auto add = [&table](const char* name, std::string value) { table.rows.push_back({name, std::move(value)}); };
  add("Size", fmt::format("{} in {}", size(row, "database_bytes"), core::plural(row.integer("tables"), "table", "tables")));
  add("Growth", growth);
  add("Oldest transaction", transaction_text(row));
  if (row.integer("prepared") > 0)
    add("Prepared transactions", fmt::format("⚠ {}, the oldest {}; Synapse makes none", row.integer("prepared"), age(row, "prepared_seconds")));
  add("Dead rows", dead_text(row));
  add("Cache hits", row.is_null("cache_hits") ? "unknown" : fmt::format("{}{:.1f} %", mark(row.number("cache_hits") < poor_cache_percent), row.number("cache_hits")));
  add("Connections", connections_text(row));
  add("Replication", replication_text(row));
  add("Temporary files", fmt::format("{}, {}", core::plural(row.integer("temp_files"), "file", "files"), size(row, "temp_bytes")));
  add("Deadlocks", core::format_count(row.integer("deadlocks")));
  add("Wraparound", mark(row.integer("transactions_age") > row.integer("freeze_age") * 2) + wraparound_text(row.integer("transactions_age")));
  add("Counted since", row.is_null("since_ms") ? "the database was made" : core::format_time(core::from_unix_ms(row.integer("since_ms")), zone));
  return table;
}

awaitable<std::string> growth_text(std::int64_t bytes_now, Context& context) {
  db::GrowthStore sizes(*context.services.store_session);
  auto days = co_await sizes.days(growth_window);
  if (!days) co_return core::describe(days.error());
  if (days->size() < 2) co_return "known from the second day on (!db-growth)";
  const db::DaySize& first = days->front();
  const std::int64_t grown = bytes_now - first.bytes;
  co_return fmt::format("{}{} in {}", grown < 0 ? "−" : "+", core::format_size(core::Bytes{std::abs(grown)}), core::format_age(first.age));
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto rows = co_await (**read).query(db::sql::database_overview);
  if (!rows) co_return core::fail(rows.error());
  const std::string growth = co_await growth_text(rows->front().integer("database_bytes"), context);
  const command::DataTable table = table_of(rows->front(), growth, context.options().time_zone);
  Answer answer;
  answer.message.title("Database " + core::clean_name(rows->front().text("name"), 60));
  for (const std::vector<std::string>& row : table.rows) answer.message.paragraph(matrix::field(row[0], row[1]));
  attach(answer, arguments, table, "database");
  co_return answer;
}

}  // namespace

Command database() {
  Command command;
  command.spec.name = "db";
  command.spec.group = command::Group::database;
  command.spec.summary = "The health of the database on one card";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"db", ""}};
  command.manual = manual("db");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
