// db-activity: who is connected to Synapse's database, since when, and who waits for whom. Statements are shown without their
// literals, because access tokens and messages stand in them. I/O thread; read session. The manual page is db_activity.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "core/statement_text.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr std::size_t statement_width = 60, statement_width_in_file = 300;

struct Activity {
  std::int64_t pid = 0;
  std::string application, role, backend_type, state, waits_for, statement;
  std::optional<std::int64_t> transaction_seconds, statement_seconds;
  std::vector<std::string> blocked_by;
  bool open() const { return transaction_seconds.has_value() || !blocked_by.empty() || state == "active"; }
};

// The raw statement goes no further than this.
Activity activity_from(const db::Row& row) {
  Activity made;
  made.pid = row.integer("pid");
  made.role = row.text("role");
  made.application = row.text("application");
  made.backend_type = row.text("backend_type");
  made.state = row.text("state");
  made.waits_for = row.text("waits_for");
  made.statement = core::without_literals(row.text("statement"));
  made.transaction_seconds = row.optional_integer("transaction_seconds");
  made.statement_seconds = row.optional_integer("statement_seconds");
  made.blocked_by = row.list("blocked_by");
  return made;
}

std::string seconds_text(const std::optional<std::int64_t>& seconds) { return seconds ? std::to_string(*seconds) : std::string(); }

command::DataTable table_of(const std::vector<Activity>& all) {
  command::DataTable table;
  table.columns = {{"pid", true}, {"application"}, {"role"}, {"state"}, {"transaction_seconds", true}, {"statement_seconds", true},
                   {"waits_for"}, {"blocked_by"}, {"statement"}};
  for (const Activity& each : all)
    table.rows.push_back({std::to_string(each.pid), each.application, each.role, each.state, seconds_text(each.transaction_seconds),
                          seconds_text(each.statement_seconds), each.waits_for, core::join(each.blocked_by, " "),
                          each.statement.empty() ? "" : core::clean_name(each.statement, statement_width_in_file)});
  return table;
}

std::string head_of(const Activity& each) {
  // Synapse gives its connections no name of a program; then the role says more.
  const std::string& who = !each.application.empty() ? each.application : !each.role.empty() ? each.role : each.backend_type;
  std::string text = fmt::format(" · {} · {}", core::clean_name(who), each.state);
  if (each.transaction_seconds) text += fmt::format(" · transaction {}", core::format_age(std::chrono::seconds(*each.transaction_seconds)));
  if (!each.blocked_by.empty()) text += fmt::format(" · ⚠ waits for pid {}", core::join(each.blocked_by, ", "));
  return text;
}

std::string title_of(const std::vector<Activity>& all) {
  const auto count = [&all](auto which) { return core::format_count(std::count_if(all.begin(), all.end(), which)); };
  const std::string active = count([](const Activity& each) { return each.state == "active"; });
  const std::string idle = count([](const Activity& each) { return each.state.starts_with("idle in transaction"); });
  const std::string blocked = count([](const Activity& each) { return !each.blocked_by.empty(); });
  return fmt::format("{} · {} active, {} idle in a transaction, {} blocked", core::plural(static_cast<long long>(all.size()), "connection", "connections"),
                     active, idle, blocked);
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto rows = co_await (**read).query(db::sql::database_activity);
  if (!rows) co_return core::fail(rows.error());
  std::vector<Activity> all;
  for (const db::Row& row : *rows) all.push_back(activity_from(row));
  Answer answer;
  answer.message.title(title_of(all));
  const std::int64_t most = std::min(arguments.integer("limit").value_or(rows_in_card / 2), rows_in_card / 2);  // two lines each
  std::int64_t shown = 0, busy = 0;
  for (const Activity& each : all) {
    if (!each.open() && !arguments.flag("all")) continue;
    if (++busy > most) continue;
    ++shown;
    matrix::Text head{matrix::bold(fmt::format("pid {}", each.pid)), matrix::plain(head_of(each))};
    std::optional<matrix::Text> statement;
    if (!each.statement.empty()) statement = matrix::Text{matrix::code(core::clean_name(each.statement, statement_width))};
    answer.message.entry(std::move(head), std::move(statement));
  }
  if (shown == 0) answer.message.paragraph("Nothing runs and nothing waits; --all shows the idle connections.");
  tell_rest(answer, arguments, busy, static_cast<std::size_t>(shown));
  attach(answer, arguments, table_of(all), "activity");
  co_return answer;
}

}  // namespace

Command db_activity() {
  Command command;
  command.spec.name = "db-activity";
  command.spec.group = command::Group::database;
  command.spec.summary = "Who does what in the database, and who waits for whom";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {command::flag("all", "idle connections too"), command::standard::limit(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"db-activity", ""}, {"db-activity --all --csv", "every connection as a file"}};
  command.manual = manual("db_activity");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
