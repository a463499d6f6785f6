// db-stop: cancels the statement of one process in Synapse's database, or ends its connection. The plan freezes which process and
// which statement; the act re-checks both in the same statement that signals, so that no later one of that number is hit.
// I/O thread; read session for the plan, control session for the act. The manual page is db_stop.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "core/statement_text.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Type;
using State = jobs::ItemOutcome::State;

namespace {

constexpr int looks = 15;
constexpr auto between_looks = std::chrono::milliseconds(200);

awaitable<core::Result<std::optional<db::Row>>> look(std::string pid, db::Session& session) {
  db::Arguments query;
  query.emplace_back("pid", std::move(pid));
  auto rows = co_await session.query(db::sql::database_backend, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  if (rows->empty()) co_return std::optional<db::Row>();
  co_return std::optional<db::Row>(rows->front());
}

// Why nobody may stop it from here; empty: it may be stopped.
std::string protection(const db::Row& row) {
  const std::string application = row.text("application"), type = row.text("backend_type");
  if (row.boolean("replicates") || type == "walsender") return "it feeds a replica or a backup";
  if (row.boolean("backs_up") || application == "pg_dump" || application == "pg_dumpall" || application == "pg_basebackup" || application == "pg_restore")
    return "it is a backup";
  if (application.starts_with("synapse-steward")) return "it is this bot; !cancel stops its jobs";
  if (type.empty()) return "the bot's role may not see what it is (GRANT pg_read_all_stats)";
  if (type != "client backend") return "it is PostgreSQL's own " + type;
  if (!row.boolean("here")) return "it works in another database";
  return {};
}

jobs::Plan plan_for(const db::Row& row, bool terminate) {
  jobs::Plan plan;
  plan.command = "db-stop";
  plan.level = static_cast<int>(terminate ? Level::deletes : Level::slows);
  const std::string pid = row.text("pid");
  plan.title = fmt::format("{} pid {}, {}", terminate ? "End the connection of" : "Cancel what runs in", pid, core::clean_name(row.text("application")));
  plan.lines.push_back(fmt::format("State: {}{}", row.text("state"),
                                   row.is_null("transaction_seconds") ? "" : ", in a transaction for " + core::format_age(std::chrono::seconds(row.integer("transaction_seconds")))));
  plan.lines.push_back("Statement: " + core::clean_name(core::without_literals(row.text("statement")), 120));
  if (row.integer("holds_up") > 0) plan.lines.push_back("Waiting for it: " + core::plural(row.integer("holds_up"), "other", "others"));
  plan.lines.push_back(terminate ? "Its transaction is rolled back; a program like Synapse connects anew." : "Its transaction is rolled back; the program behind it gets an error.");
  jobs::Item item;
  item.kind = "backend";
  item.target = pid;
  item.label = "pid " + pid;
  plan.items.push_back(std::move(item));
  plan.parameters["terminate"] = terminate ? "yes" : "no";
  plan.parameters["started_us"] = row.text("started_us");
  plan.parameters["statement_us"] = row.text("statement_us");
  return plan;
}

awaitable<core::Result<jobs::Plan>> make_plan(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  const std::int64_t pid = arguments.integer("pid").value_or(0);
  if (pid > 2147483647) co_return core::fail(core::Code::bad_input, fmt::format("{} is no process number", pid));
  auto row = co_await look(std::to_string(pid), **read);
  if (!row) co_return core::fail(row.error());
  if (!*row) co_return core::fail(core::Code::not_found, fmt::format("No connection has the pid {}", pid), "", "!db-activity --all lists them");
  const std::string why = protection(**row);
  if (!why.empty()) co_return core::fail(core::Code::not_allowed, fmt::format("pid {} is not stopped", pid), why);
  const bool terminate = arguments.flag("terminate");
  if (!terminate && (*row)->text("state") != "active")
    co_return core::fail(core::Code::rejected, fmt::format("Nothing runs in pid {}: it is {}", pid, (*row)->text("state")), "there is no statement to cancel",
                         fmt::format("!db-stop {} --terminate ends its connection", pid));
  co_return plan_for(**row, terminate);
}

class Stop {
 public:
  Stop(const jobs::Plan& plan, jobs::Progress& progress, Context& context)
      : terminate_(plan.parameters.at("terminate") == "yes"),
        started_us_(plan.parameters.at("started_us")),
        statement_us_(plan.parameters.at("statement_us")),
        progress_(progress),
        control_(*context.services.control) {}

  awaitable<jobs::ItemOutcome> act(db::ItemRow item) {
    auto row = co_await look(item.target, control_);
    if (!row) co_return outcome(State::failed, core::describe(row.error()));
    if (!same(*row)) co_return outcome(State::kept, "it has ended by itself");
    if (const std::string why = protection(**row); !why.empty()) co_return outcome(State::kept, why);
    auto signalled = co_await signal(item.target);
    if (!signalled) co_return outcome(State::failed, core::describe(signalled.error()));
    if (signalled->empty() || !signalled->front().boolean("signalled")) co_return outcome(State::kept, "it has ended by itself");
    co_return co_await wait_for_end(std::move(item));
  }

  // A signal leaves no trace: whether it was sent shows only in what runs now.
  awaitable<jobs::ItemOutcome> settle(db::ItemRow item) {
    auto row = co_await look(item.target, control_);
    if (!row) co_return outcome(State::unknown, core::describe(row.error()));
    co_return outcome(same(*row) ? State::given_back : State::done);
  }

 private:
  bool same(const std::optional<db::Row>& row) const {
    if (!row || row->text("started_us") != started_us_) return false;
    return terminate_ || (row->text("statement_us") == statement_us_ && row->text("state") == "active");
  }
  awaitable<core::Result<db::Rows>> signal(std::string pid) {
    db::Arguments query;
    query.emplace_back("pid", std::move(pid));
    query.emplace_back("started_us", started_us_);
    if (!terminate_) query.emplace_back("statement_us", statement_us_);
    const db::Statement& statement = terminate_ ? db::sql::database_terminate : db::sql::database_cancel;
    co_return co_await control_.query(statement, std::move(query));
  }
  awaitable<jobs::ItemOutcome> wait_for_end(db::ItemRow item) {
    for (int count = 0; count < looks; ++count) {
      auto row = co_await look(item.target, control_);
      if (row && !same(*row)) co_return outcome(State::done);
      const bool going_on = co_await progress_.wait(between_looks);
      if (!going_on) break;
    }
    co_return outcome(State::unknown, "it was told to stop and still runs; !db-activity shows when it has ended");
  }

  bool terminate_;
  std::string started_us_, statement_us_;
  jobs::Progress& progress_;
  db::Session& control_;
};

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  if (!context.services.control) co_return core::fail(core::Code::unavailable, "There is no connection to Synapse's database");
  Stop stop(plan, progress, context);
  jobs::Progress::Act act = [&stop](db::ItemRow item) { return stop.act(std::move(item)); };
  jobs::Progress::Act settle = [&stop](db::ItemRow item) { return stop.settle(std::move(item)); };
  auto totals = co_await progress.for_each_item("connections", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  std::vector<std::string> all_states;
  auto items = co_await context.stores().jobs.items(progress.job(), std::move(all_states), 0);
  if (!items) co_return core::fail(items.error());
  jobs::Receipt receipt;
  receipt.title = totals->done > 0 ? (plan.parameters["terminate"] == "yes" ? "The connection was ended" : "The statement was cancelled") : "Nothing was stopped";
  for (const db::ItemRow& item : *items) {
    if (!item.error.empty()) receipt.lines.push_back(fmt::format("{}: {}", item.label, item.error));
  }
  receipt.complete = totals->failed + totals->unknown + totals->planned + totals->acting == 0;
  co_return receipt;
}

}  // namespace

Command db_stop() {
  Command command;
  command.spec.name = "db-stop";
  command.spec.group = command::Group::database;
  command.spec.summary = "Cancel what a connection runs in the database, or end it";
  command.spec.level = Level::slows;
  command.spec.safe_while_running = "yes; the program behind it gets an error or connects anew";
  command.spec.sources = "S";
  command::Argument pid = command::positional("pid", Type::integer, "the process, from db-activity");
  pid.least = 1;
  command.spec.arguments = {pid, command::flag("terminate", "end the connection, not only its statement", Level::deletes), command::standard::dry_run()};
  command.spec.examples = {{"db-stop 4711", "cancel its statement"}, {"db-stop 4711 --terminate", "end its connection"}};
  command.manual = manual("db_stop");
  command.plan = make_plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
