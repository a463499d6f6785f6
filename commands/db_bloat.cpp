// db-bloat: dead rows and wasted space by table. The waste is an estimate from the planner's statistics, not a measurement: that
// would read every table. I/O thread; read session. The manual page is db_bloat.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/charts.hpp"
#include "commands/database_reports.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

std::string dead_text(const db::Row& row) {
  const std::int64_t dead = row.integer("dead_rows");
  std::string text = core::plural(dead, "dead row", "dead rows");
  if (dead > row.integer("vacuum_at")) return text + ", autovacuum is due";
  return text + fmt::format(", autovacuum at {}", core::format_count(row.integer("vacuum_at")));
}

std::string detail_of(const db::Row& row) {
  const std::string heap = core::format_size(core::Bytes{row.integer("heap_bytes")});
  const std::string wasted =
      row.is_null("wasted_bytes") ? "waste unknown" : fmt::format("≈ {} wasted", core::format_size(core::Bytes{row.integer("wasted_bytes")}));
  return fmt::format("{} of {}; {}", wasted, heap, dead_text(row));
}

command::DataTable table_of(const db::Rows& rows, const std::string& zone) {
  command::DataTable table;
  table.columns = {{"name"}, {"heap_bytes", true}, {"wasted_bytes_estimated", true}, {"live_rows", true}, {"dead_rows", true}, {"vacuum_at", true},
                   {"vacuumed"}, {"analyzed"}};
  const auto time = [&zone](const db::Row& row, const char* column) {
    return row.is_null(column) ? std::string("never") : core::format_time(core::from_unix_ms(row.integer(column)), zone);
  };
  for (const db::Row& row : rows)
    table.rows.push_back({row.text("name"), row.text("heap_bytes"), row.text("wasted_bytes"), row.text("live_rows"), row.text("dead_rows"),
                          row.text("vacuum_at"), time(row, "vacuumed_ms"), time(row, "analyzed_ms")});
  return table;
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  db::Arguments query;
  query.emplace_back("limit", db::bind(rows_wanted(arguments)));
  auto rows = co_await (**read).query_within(report_limit, db::sql::database_bloat, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  Answer answer;
  std::int64_t wasted = 0;
  for (const db::Row& row : *rows) wasted += row.integer("wasted_bytes");
  answer.message.title(rows->empty() ? "No dead rows, no large tables"
                                     : fmt::format("≈ {} wasted · {}", core::format_size(core::Bytes{wasted}),
                                                   core::plural(static_cast<long long>(rows->size()), "table looked at", "tables looked at")));
  const bool picture = arguments.flag("chart");
  const std::size_t shown = std::min(rows_shown(rows->size()), picture ? report::most_bars : rows->size());
  Named wasted_by_table;
  for (std::size_t index = 0; index < shown; ++index) {
    const db::Row& row = (*rows)[index];
    wasted_by_table.emplace_back(row.text("name"), row.integer("wasted_bytes"));
    if (picture) continue;
    matrix::Text text{matrix::bold(core::clean_name(row.text("name"), 60)), matrix::plain(" — " + detail_of(row))};
    answer.message.entry(std::move(text));
  }
  if (picture && shown > 0) answer.charts.push_back(size_chart("bloat", "Wasted space, estimated", "table", "space that dead and missing rows leave", wasted_by_table));
  if (!rows->empty()) tell_rest(answer, arguments, rows->front().integer("all_count"), shown);
  attach(answer, arguments, table_of(*rows, context.options().time_zone), "bloat");
  co_return answer;
}

}  // namespace

Command db_bloat() {
  Command command;
  command.spec.name = "db-bloat";
  command.spec.group = command::Group::database;
  command.spec.summary = "Dead rows and wasted space by table, estimated";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {command::standard::limit(), command::standard::chart(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"db-bloat", ""}, {"db-bloat --chart", "the waste as a picture"}};
  command.manual = manual("db_bloat");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
