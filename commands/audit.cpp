// audit: who asked, who confirmed, what ran, what came out. Reads the bot's own log; its rows are chained by hash.
// I/O thread; store only. The manual page is audit.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Type;

namespace {

constexpr int shown_rows = 7;     // two lines each on a phone
constexpr int most_rows = 10000;  // of a file

command::DataTable table_of(const std::vector<db::AuditRow>& rows) {
  command::DataTable table;
  table.columns = {{"id", true}, {"at"},           {"actor"},     {"role"}, {"line"},
                   {"outcome"},  {"confirmed_by"}, {"job", true}, {"event"}};
  for (const db::AuditRow& row : rows) {
    table.rows.push_back({std::to_string(row.id), row.at, row.actor, row.role, row.line, row.outcome, row.confirmed_by,
                          std::to_string(row.job), row.event_id});
  }
  return table;
}

void add_row(matrix::Message& message, const db::AuditRow& row, const std::string& time_zone) {
  matrix::Text head{matrix::code(core::clean_name(row.line, 60)),
                    matrix::plain(" · " + core::clean_name(row.outcome, 60))};
  std::string detail = fmt::format("{} · {}", core::format_time(core::from_unix_ms(row.at_ms), time_zone), row.actor);
  if (row.job != 0) detail += fmt::format(" · job {}", row.job);
  if (!row.confirmed_by.empty() && row.confirmed_by != row.actor) detail += " · confirmed by " + row.confirmed_by;
  matrix::Text details{matrix::plain(std::move(detail))};
  message.entry(std::move(head), std::move(details));
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  db::AuditStore& audit = context.stores().audit;
  const auto since = arguments.age("since").value_or(std::chrono::hours(24 * 7));
  std::optional<std::string> actor;
  if (const auto user = arguments.user("user")) actor = user->str();
  const bool as_file = arguments.flag("csv") || arguments.flag("json");
  const int most = static_cast<int>(
      std::min<std::int64_t>(arguments.integer("limit").value_or(as_file ? most_rows : shown_rows), most_rows));
  auto rows = co_await audit.list(std::move(actor), since, most);
  if (!rows) co_return core::fail(rows.error());
  auto broken = co_await audit.first_broken();
  if (!broken) co_return core::fail(broken.error());

  Answer answer;
  const command::DataTable table = table_of(*rows);
  answer.json = command::to_json(table);
  answer.message.title(rows->empty()
                           ? "Nothing in the audit log for that"
                           : fmt::format("Audit · {} of the last {}",
                                         core::plural(static_cast<long long>(rows->size()), "entry", "entries"),
                                         core::format_age(since)));
  // A file holds them all; the card never grows over a screen.
  for (std::size_t index = 0; index < rows->size() && index < shown_rows; ++index)
    add_row(answer.message, (*rows)[index], context.options().time_zone);
  if (rows->size() > shown_rows && !as_file) answer.message.paragraph("The rest: --csv");
  answer.message.paragraph(
      *broken ? fmt::format("⚠ Row {} was changed after it was written: its hash does not fit.", **broken)
              : std::string("No row was changed after it was written."));
  answer.rings = broken->has_value();
  if (arguments.flag("csv"))
    answer.files.push_back({"audit.csv", "text/csv", command::to_csv(table),
                            answer.message.plain_body().substr(0, answer.message.plain_body().find('\n'))});
  if (arguments.flag("json")) answer.files.push_back({"audit.json", "application/json", answer.json, "Audit log"});
  co_return answer;
}

}  // namespace

Command audit() {
  Command command;
  command.spec.name = "audit";
  command.spec.group = command::Group::general;
  command.spec.summary = "Who asked, who confirmed, what ran, what came out";
  command.spec.safe_while_running = "yes";
  auto since = command::option("since", Type::age, "how far back");
  since.default_text = "7d";
  command.spec.arguments = {command::option("user", Type::user, "only what this person asked"), std::move(since),
                            command::standard::limit(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"audit --since 30d --csv", "all of it as a file"}, {"audit --user @ann", ""}};
  command.manual = manual("audit");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
