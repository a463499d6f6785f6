// db-size: what fills the database: tables, indexes or rooms, largest first. Tables and indexes are measured; rooms are estimated
// from the planner's statistics, because counting them reads the largest tables whole. I/O thread; read session.
// The manual page is db_size.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
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

enum class What { tables, indexes, rooms };

What what_of(const Arguments& arguments) {
  if (arguments.flag("indexes")) return What::indexes;
  return arguments.flag("rooms") ? What::rooms : What::tables;
}

const db::Statement& statement_of(What what) {
  if (what == What::indexes) return db::sql::database_indexes;
  return what == What::rooms ? db::sql::database_rooms : db::sql::database_tables;
}

command::DataTable empty_table(What what) {
  command::DataTable table;
  if (what == What::tables) table.columns = {{"name"}, {"bytes", true}, {"heap_bytes", true}, {"index_bytes", true}, {"other_bytes", true}, {"rows", true}};
  if (what == What::indexes) table.columns = {{"name"}, {"bytes", true}, {"table_name"}, {"scans", true}, {"is_unique"}, {"is_valid"}};
  if (what == What::rooms) table.columns = {{"room_id"}, {"bytes", true}, {"name"}, {"event_rows", true}, {"state_rows", true}};
  return table;
}

std::string label_of(What what, const db::Row& row) {
  if (what != What::rooms) return core::clean_name(row.text("name"), 60);
  return row.text("name").empty() ? core::shorten_id(row.text("room_id")) : core::clean_name(row.text("name"));
}

std::string rows_text(const db::Row& row) {
  return row.is_null("rows") ? "never analysed" : "≈ " + core::plural(row.integer("rows"), "row", "rows");
}

std::string detail_of(What what, const db::Row& row) {
  const std::string size = core::format_size(core::Bytes{row.integer("bytes")});
  if (what == What::tables)
    return fmt::format("{}, {} of it indexes; {}", size, core::format_size(core::Bytes{row.integer("index_bytes")}), rows_text(row));
  if (what == What::indexes)
    return fmt::format("{} on {}{}{}", size, row.text("table_name"), row.boolean("is_valid") ? "" : ", invalid",
                       row.integer("scans") == 0 ? ", not used yet" : "");
  return fmt::format("≈ {}, {} and {} · {}", size, core::plural(row.integer("event_rows"), "event", "events"),
                     core::plural(row.integer("state_rows"), "state row", "state rows"), core::shorten_id(row.text("room_id")));
}

// A table's parts one after another; for the others there is only the whole.
report::Chart chart_of(What what, const db::Rows& rows, std::size_t shown) {
  report::Chart chart;
  chart.name = what == What::tables ? "tables" : what == What::indexes ? "indexes" : "rooms-by-size";
  chart.title = what == What::tables ? "Largest tables" : what == What::indexes ? "Largest indexes" : "Largest rooms, estimated";
  chart.labels_title = what == What::tables ? "table" : what == What::indexes ? "index" : "room";
  chart.values_title = what == What::rooms ? "estimated size in the database" : "size on disk";
  const std::vector<std::pair<std::string, std::string>> parts =
      what == What::tables ? std::vector<std::pair<std::string, std::string>>{{"rows", "heap_bytes"}, {"indexes", "index_bytes"}, {"long values", "other_bytes"}}
                           : std::vector<std::pair<std::string, std::string>>{{"size", "bytes"}};
  for (std::size_t index = 0; index < shown; ++index) chart.labels.push_back(label_of(what, rows[index]));
  for (const auto& [name, column] : parts) {
    report::Series& series = chart.series.emplace_back();
    series.name = name;
    for (std::size_t index = 0; index < shown; ++index) series.values.emplace_back(rows[index].integer(column));
  }
  return chart;
}

Answer answer_of(What what, const db::Rows& rows, const Arguments& arguments) {
  Answer answer;
  command::DataTable table = empty_table(what);
  for (const db::Row& row : rows) {
    std::vector<std::string> cells;
    for (const command::DataTable::Column& column : table.columns) cells.push_back(row.text(column.name));
    table.rows.push_back(std::move(cells));
  }
  if (rows.empty()) {
    answer.message.title("Nothing to measure");
    if (what == What::rooms)
      answer.message.paragraph("PostgreSQL has no statistics about rooms: the tables were never analysed, or the bot's role may not read them.");
  } else {
    const std::int64_t all = rows.front().integer("all_count");
    const std::string units = what == What::tables    ? core::plural(all, "table", "tables")
                              : what == What::indexes ? core::plural(all, "index", "indexes")
                                                      : "largest rooms, estimated";
    answer.message.title(fmt::format("Database {} · {}", core::format_size(core::Bytes{rows.front().integer("database_bytes")}), units));
  }
  const bool picture = arguments.flag("chart");
  const std::size_t shown = std::min(rows_shown(rows.size()), picture ? report::most_bars : rows.size());
  for (std::size_t index = 0; index < shown && !picture; ++index) {
    matrix::Text text{matrix::bold(label_of(what, rows[index])), matrix::plain(" — " + detail_of(what, rows[index]))};
    answer.message.entry(std::move(text));
  }
  if (picture && !rows.empty()) answer.charts.push_back(chart_of(what, rows, shown));
  if (!rows.empty()) tell_rest(answer, arguments, rows.front().integer("all_count"), shown);
  attach(answer, arguments, table, what == What::tables ? "tables" : what == What::indexes ? "indexes" : "rooms-by-size");
  return answer;
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  const What what = what_of(arguments);
  db::Arguments query;
  query.emplace_back("limit", db::bind(rows_wanted(arguments)));
  auto rows = co_await (**read).query_within(report_limit, statement_of(what), std::move(query));
  if (!rows) co_return core::fail(rows.error());
  co_return answer_of(what, *rows, arguments);
}

command::Argument kind(std::string name, std::string text) {
  command::Argument made = command::flag(std::move(name), std::move(text));
  made.only_one_of = "what";
  return made;
}

}  // namespace

Command db_size() {
  Command command;
  command.spec.name = "db-size";
  command.spec.group = command::Group::database;
  command.spec.summary = "What fills the database: tables, indexes or rooms";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {kind("tables", "by table, with its indexes; this holds when nothing is named"), kind("indexes", "by index"),
                            kind("rooms", "by room, estimated from PostgreSQL's statistics"),
                            command::standard::limit(), command::standard::chart(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"db-size --chart", "the largest tables as a picture"}, {"db-size --indexes --csv", "all indexes as a file"}};
  command.manual = manual("db_size");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
