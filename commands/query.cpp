// query: named reports over Synapse's database, each one file sql/report_*.sql; no free SQL. The first column of a report is what a row
// is about; the endings of the others say how they are shown: bytes, …_bytes, …_ms (a time), …_seconds.
// I/O thread; read session. The manual page is query.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "core/text.hpp"
#include "db/sqlstate.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Type;

namespace {


struct Report {
  std::string name;
  std::string text;  // a line: what it tells
  const db::Statement* statement;
  std::chrono::seconds window{};  // how far back by default; zero: it takes no age
  bool takes(std::string_view parameter) const { return std::find(statement->parameters.begin(), statement->parameters.end(), parameter) != statement->parameters.end(); }
};

const std::vector<Report>& reports() {
  namespace sql = db::sql;
  constexpr auto day = std::chrono::hours(24);
  static const std::vector<Report> all{
      {"rooms-events", "rooms by events, counted", &sql::report_rooms_events},
      {"rooms-state", "rooms by current state", &sql::report_rooms_state},
      {"rooms-state-rows", "rooms by stored state rows, counted", &sql::report_rooms_state_rows},
      {"rooms-state-groups", "rooms by state groups", &sql::report_rooms_state_groups},
      {"rooms-extremities", "rooms with several open ends", &sql::report_rooms_extremities},
      {"users-media", "users by what they uploaded", &sql::report_users_media},
      {"remote-media", "cached media by origin", &sql::report_remote_media},
      {"reserved-media", "media reserved, never uploaded", &sql::report_reserved_media},
      {"active-users", "people seen in a day, a week, 30 days", &sql::report_active_users},
      {"visits", "people per day", &sql::report_visits, 30 * day},
      {"failing-servers", "servers that cannot be reached", &sql::report_failing_servers},
      {"servers-behind", "servers that miss newest events", &sql::report_servers_behind},
      {"event-rate", "events received per hour", &sql::report_event_rate, day},
      {"streams", "who is behind the newest event", &sql::report_streams},
      {"appservice-queue", "transactions that wait for bridges", &sql::report_appservice_queue},
      {"replication", "replication slots and kept log", &sql::report_replication},
      {"wraparound", "tables by their oldest row version", &sql::report_wraparound},
      {"unused-indexes", "indexes never used", &sql::report_unused_indexes},
      {"state-deletions", "state groups marked for deletion", &sql::report_state_deletions},
      {"redactions", "redactions not yet censored", &sql::report_redactions},
      {"tasks", "Synapse's tasks by kind and state", &sql::report_tasks},
      {"failed-tasks", "tasks that failed, and why", &sql::report_failed_tasks},
      {"not-repackable", "tables that pg_repack refuses", &sql::report_not_repackable},
      {"sequences", "sequences by how much is used", &sql::report_sequences},
      {"settings", "settings of PostgreSQL", &sql::report_settings},
      {"background-updates", "what Synapse still rebuilds", &sql::report_background_updates},
  };
  return all;
}

core::Result<const Report*> find_report(const std::string& typed) {
  std::string name = core::to_lower_ascii(typed);
  std::replace(name.begin(), name.end(), '_', '-');
  std::vector<std::string> names;
  for (const Report& report : reports()) {
    if (report.name == name) return &report;
    names.push_back(report.name);
  }
  const auto near = core::nearest(name, names, 3);
  return core::fail(core::Code::bad_input, "There is no report " + core::echo_word(typed), near ? "Nearest: " + *near : "",
                    "!query alone lists them; free SQL is not run");
}

// A card holds eighteen lines, so the names stand in few of them; the texts are in the file.
Answer list_of(const Arguments& arguments) {
  Answer answer;
  command::DataTable table;
  table.columns = {{"name"}, {"text"}, {"takes_age"}};
  answer.message.title(fmt::format("{} reports", reports().size()));
  const auto kind_of = [](const std::string& name) -> std::string {
    for (const char* kind : {"rooms", "users", "media", "servers"})
      if (name.find(kind) != std::string::npos) return kind;
    return name == "visits" ? "users" : "more";
  };
  for (const std::string kind : {"rooms", "users", "media", "servers", "more"}) {
    std::vector<std::string> names;
    for (const Report& report : reports())
      if (kind_of(report.name) == kind) names.push_back(report.window.count() > 0 ? report.name + " [age]" : report.name);
    answer.message.entry(core::join(names, " · "));
  }
  answer.message.paragraph("!query <name>; with --csv or --json as a file. !query --csv says what each tells.");
  for (const Report& report : reports()) table.rows.push_back({report.name, report.text, report.window.count() > 0 ? "yes" : "no"});
  attach(answer, arguments, table, "reports");
  return answer;
}

bool is_number(const std::string& text) {
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  return text.size() > first && text.size() < 19 && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(first), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The first column names the row and is never a number, whatever stands in it.
std::vector<bool> numbers_among(const db::Rows& rows, std::size_t columns) {
  std::vector<bool> numbers(columns, true);
  numbers[0] = false;
  for (const db::Row& row : rows)
    for (std::size_t index = 1; index < columns; ++index)
      if (const auto cell = row.cell(index); cell && !is_number(*cell)) numbers[index] = false;
  return numbers;
}

std::string shown_value(const std::string& column, const std::optional<std::string>& cell, const std::string& zone) {
  std::string words = column;
  const auto without = [&words](std::string_view ending) {
    if (words.ends_with(ending)) words.resize(words.size() - ending.size());
    std::replace(words.begin(), words.end(), '_', ' ');
    return words.empty() ? words : words + " ";
  };
  if (!cell || cell->empty()) return {};
  if (is_number(*cell)) {
    const std::int64_t number = std::stoll(*cell);
    if (column == "bytes") return core::format_size(core::Bytes{number});
    if (column.ends_with("_bytes")) return without("_bytes") + core::format_size(core::Bytes{number});
    if (column.ends_with("_ms")) return without("_ms") + core::format_time(core::from_unix_ms(number), zone);
    if (column.ends_with("_seconds")) return without("_seconds") + "every " + core::format_age(std::chrono::seconds(number));
    return without("") + core::format_count(number);
  }
  if (column == "room") return core::clean_name(*cell);
  if (column == "percent") return *cell + " %";
  if (*cell == "t" || *cell == "f") return without("") + (*cell == "t" ? "yes" : "no");
  return without("") + core::clean_name(*cell, 80);
}

void show_rows(Answer& answer, const db::Rows& rows, const std::string& zone) {
  for (std::size_t index = 0; index < rows_shown(rows.size()); ++index) {
    const db::Row& row = rows[index];
    std::vector<std::string> parts;
    for (std::size_t column = 1; column < row.columns().size(); ++column)
      if (std::string part = shown_value(row.columns()[column], row.cell(column), zone); !part.empty()) parts.push_back(std::move(part));
    const std::string name = row.cell(0).value_or("");
    matrix::Text text{matrix::bold(name.starts_with('!') ? core::shorten_id(name) : core::clean_name(name, 60))};
    if (!parts.empty()) text.push_back(matrix::plain(" — " + core::join(parts, ", ")));
    answer.message.entry(std::move(text));
  }
}

core::Result<db::Arguments> parameters_of(const Report& report, const Arguments& arguments) {
  if (arguments.has("age") && report.window.count() == 0)
    return core::fail(core::Code::bad_input, "The report " + report.name + " takes no age", "it tells how things are now", "!query " + report.name);
  db::Arguments given;
  if (report.takes("seconds")) given.emplace_back("seconds", db::bind(arguments.age("age").value_or(report.window).count()));
  // One more than asked for: so it shows whether there are more.
  if (report.takes("limit")) given.emplace_back("limit", db::bind(rows_wanted(arguments) + 1));
  return given;
}

Answer answer_of(const Report& report, db::Rows rows, const Arguments& arguments, const std::string& zone) {
  Answer answer;
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(rows_wanted(arguments), 1));
  const bool more = report.takes("limit") && rows.size() > most;
  if (more) rows.resize(most, rows.front());
  command::DataTable table;
  if (!rows.empty()) {
    const std::vector<bool> numbers = numbers_among(rows, rows.front().columns().size());
    for (std::size_t index = 0; index < numbers.size(); ++index) table.columns.push_back({rows.front().columns()[index], numbers[index]});
  }
  for (const db::Row& row : rows) {
    std::vector<std::string>& cells = table.rows.emplace_back();
    for (std::size_t index = 0; index < table.columns.size(); ++index) cells.push_back(row.cell(index).value_or(""));
  }
  answer.message.title(fmt::format("{} · {}", report.name, report.text));
  show_rows(answer, rows, zone);
  if (rows.empty()) answer.message.paragraph("Nothing to report.");
  const bool as_file = arguments.flag("csv") || arguments.flag("json");
  if (!as_file && (more || rows.size() > rows_shown(rows.size()))) answer.message.paragraph("There is more; all of it as a file: --csv");
  attach(answer, arguments, table, report.name);
  return answer;
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  if (!arguments.has("name")) co_return list_of(arguments);
  auto report = find_report(arguments.text("name"));
  if (!report) co_return core::fail(report.error());
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto parameters = parameters_of(**report, arguments);
  if (!parameters) co_return core::fail(parameters.error());
  auto rows = co_await (**read).query_within(report_limit, *(*report)->statement, std::move(*parameters));
  if (!rows && rows.error().source == db::undefined_table)
    co_return core::fail(core::Code::not_found, "The report " + (**report).name + " reads a table that this Synapse does not have", rows.error().why,
                         "it comes with a newer Synapse");
  if (!rows) co_return core::fail(rows.error());
  co_return answer_of(**report, std::move(*rows), arguments, context.options().time_zone);
}

}  // namespace

Command query() {
  Command command;
  command.spec.name = "query";
  command.spec.group = command::Group::database;
  command.spec.summary = "A named report over the database; alone: their names";
  command.spec.safe_while_running = "yes; at most two minutes each";
  command.spec.sources = "S";
  command.spec.arguments = {command::optional_positional("name", Type::word, "which report"),
                            command::optional_positional("age", Type::age, "how far back, where a report takes it"),
                            command::standard::limit(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"query", "the names"}, {"query visits 14d", "people per day"}, {"query rooms-state --csv", "all rooms as a file"}};
  command.manual = manual("query");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
