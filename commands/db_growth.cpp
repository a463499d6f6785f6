// db-growth: how much the database and its tables grew, and where that leads. Compares the sizes of now with the oldest of the daily
// snapshots in the window, which the bot notes in its own schema. I/O thread; read and store session. The manual page is db_growth.md.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/charts.hpp"
#include "commands/database_reports.hpp"
#include "commands/table_sizes.hpp"
#include "core/text.hpp"
#include "db/growth_store.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Type;

namespace {

constexpr auto day = std::chrono::hours(24);
constexpr auto kept = day * 400;
constexpr auto least_for_forecast = std::chrono::hours(20);  // two days of the calendar may be minutes apart
constexpr std::int64_t most_tables = 10'000;
constexpr std::size_t tables_shown = 10;

Answer too_early(const std::vector<db::DaySize>& days, std::int64_t now, const std::vector<db::TableSize>& sizes, const Arguments& arguments) {
  Answer answer;
  answer.message.title("Database " + core::format_size(core::Bytes{now}) + " · its growth is not known yet");
  answer.message.paragraph(days.empty() ? "No size of that time was noted; the bot notes one a day while it runs."
                                        : fmt::format("Sizes are noted since {} (UTC), one a day; growth shows from the second day on.", days.front().day));
  command::DataTable table;
  table.columns = {{"name"}, {"bytes", true}};
  for (const db::TableSize& size : sizes)
    if (!size.name.empty()) table.rows.push_back({size.name, std::to_string(size.bytes)});
  attach(answer, arguments, table, "growth");
  return answer;
}

Answer answer_of(const std::vector<db::DaySize>& days, const std::vector<db::TableSize>& before, const std::vector<db::TableSize>& sizes, std::int64_t now,
                 const Arguments& arguments) {
  const db::DaySize& first = days.front();
  Answer answer;
  answer.message.title(fmt::format("Database {} · {} since {}", core::format_size(core::Bytes{now}), growth_words(now - first.bytes), first.day));
  answer.message.paragraph(growth_forecast(first, now));
  const std::vector<TableGrowth> all = compare_sizes(before, sizes);
  if (arguments.flag("chart")) answer.charts.push_back(growth_chart(days, now));
  std::size_t shown = 0;
  for (const TableGrowth& growth : all) {
    if (arguments.flag("chart") || growth.grown() == 0 || shown == tables_shown) break;
    ++shown;
    matrix::Text text{matrix::bold(core::clean_name(growth.name, 60)),
                      matrix::plain(fmt::format(" — {}, now {}", growth_words(growth.grown()), core::format_size(core::Bytes{growth.now})))};
    answer.message.entry(std::move(text));
  }
  if (shown == 0 && !arguments.flag("chart")) answer.message.paragraph("No table has changed its size.");
  command::DataTable table;
  table.columns = {{"name"}, {"bytes_before", true}, {"bytes", true}, {"grown_bytes", true}};
  for (const TableGrowth& growth : all)
    table.rows.push_back({growth.name, std::to_string(growth.before), std::to_string(growth.now), std::to_string(growth.grown())});
  attach(answer, arguments, table, "growth");
  return answer;
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  db::GrowthStore store(*context.services.store_session);
  auto days = co_await store.days(arguments.age("window").value_or(day * 30));
  if (!days) co_return core::fail(days.error());
  auto sizes = co_await measure_tables(**read);
  if (!sizes) co_return core::fail(sizes.error());
  if (sizes->empty()) co_return core::fail(core::Code::not_found, "There are no tables to measure");
  const std::int64_t now = sizes->back().bytes;
  if (days->size() < 2) co_return too_early(*days, now, *sizes, arguments);
  auto before = co_await store.tables_on(days->front().day);
  if (!before) co_return core::fail(before.error());
  co_return answer_of(*days, *before, *sizes, now, arguments);
}

}  // namespace

awaitable<core::Result<std::vector<db::TableSize>>> measure_tables(db::Session& read) {
  db::Arguments query;
  query.emplace_back("limit", db::bind(most_tables));
  auto rows = co_await read.query_within(report_limit, db::sql::database_tables, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  std::vector<db::TableSize> sizes;
  for (const db::Row& row : *rows) {
    db::TableSize& size = sizes.emplace_back();
    size.name = row.text("name");
    size.bytes = row.integer("bytes");
    size.rows = row.optional_integer("rows");
  }
  if (!rows->empty()) sizes.push_back({"", rows->front().integer("database_bytes")});
  co_return sizes;
}

std::string growth_words(std::int64_t bytes) {
  return (bytes < 0 ? "−" : "+") + core::format_size(core::Bytes{std::abs(bytes)});
}

std::vector<TableGrowth> compare_sizes(const std::vector<db::TableSize>& before, const std::vector<db::TableSize>& now) {
  std::map<std::string, TableGrowth> by_name;
  for (const db::TableSize& size : before) by_name[size.name].before = size.bytes;
  for (const db::TableSize& size : now)
    if (!size.name.empty()) by_name[size.name].now = size.bytes;
  std::vector<TableGrowth> all;
  for (auto& [name, growth] : by_name) {
    growth.name = name;
    all.push_back(growth);
  }
  std::stable_sort(all.begin(), all.end(), [](const TableGrowth& a, const TableGrowth& b) { return std::abs(a.grown()) > std::abs(b.grown()); });
  return all;
}

std::optional<double> growth_per_day(const db::DaySize& first, std::int64_t now) {
  if (first.age < least_for_forecast) return std::nullopt;
  return static_cast<double>(now - first.bytes) * 86400.0 / static_cast<double>(first.age.count());
}

std::string growth_forecast(const db::DaySize& first, std::int64_t now) {
  const auto pace = growth_per_day(first, now);
  if (!pace) return "Forecast: not before the snapshots are a day apart";
  const double per_day = *pace;
  const auto in = [&](double days) {
    return core::format_size(core::Bytes{std::max<std::int64_t>(0, now + static_cast<std::int64_t>(std::llround(per_day * days)))});
  };
  std::string text = fmt::format("Forecast: {} a day; ≈ {} in 30 days, ≈ {} in a year", growth_words(std::llround(per_day)), in(30), in(365));
  if (per_day > 0) text += fmt::format("; twice its size in {:.0f} days", std::ceil(static_cast<double>(now) / per_day));
  return text;
}

awaitable<core::Result<void>> note_table_sizes(command::Services& services) {
  if (!services.read) co_return core::Result<void>();
  db::GrowthStore store(*services.store_session);
  auto taken = co_await store.taken_today();
  if (!taken) co_return core::fail(taken.error());
  if (*taken) co_return core::Result<void>();
  auto sizes = co_await measure_tables(*services.read);
  if (!sizes) co_return core::fail(sizes.error());
  auto added = co_await store.add(std::move(*sizes));
  if (!added) co_return core::fail(added.error());
  co_return co_await store.forget_older_than(kept);
}

Command db_growth() {
  Command command;
  command.spec.name = "db-growth";
  command.spec.group = command::Group::database;
  command.spec.summary = "How much the database and its tables grew, and a forecast";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command::Argument window = command::optional_positional("window", Type::age, "how far back");
  window.default_text = "30d";
  command.spec.arguments = {window, command::standard::chart(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"db-growth", "over the last 30 days"}, {"db-growth 1y --chart", "a year as a picture"}};
  command.manual = manual("db_growth");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
