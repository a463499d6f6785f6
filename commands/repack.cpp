// repack: a table written anew while it is used, by the program pg_repack where its extension is installed. Everything around it is
// vacuum-full's: the choice from the catalogue, disk and time, sizes read again. What a stopped run leaves behind is dropped when it is
// the bot's own, and named when it is not. I/O thread; the plan on the read session. The manual page is repack.md.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "async/tasks.hpp"
#include "commands/all.hpp"
#include "commands/repack_tool.hpp"
#include "commands/room_deletion.hpp"
#include "commands/table_plan.hpp"
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
using jobs::ItemOutcome;
using State = ItemOutcome::State;

namespace {

constexpr std::int64_t all_tables = 100'000;
constexpr const char* lock_not_free = "55P03";
constexpr Maintenance::Limits analyze_limits{std::chrono::minutes(30), std::chrono::seconds(20)};

std::string leftover_names(const RepackState& state) { return core::join(state.leftovers, ", "); }

// What stands in the way of a run on that table, whoever asks.
core::Result<void> check_table(const SpaceTable& table, const RepackState& state) {
  if (!state.has_key)
    return core::fail(core::Code::conflict, "pg_repack cannot work on " + table.name, "it has neither a primary key nor a unique index over columns that are never empty",
                      "!vacuum-full " + table.name + " needs none, but locks the table");
  if (!state.invalid_index.empty())
    return core::fail(core::Code::conflict, table.name + " has an index that is not valid: " + core::clean_name(state.invalid_index), "pg_repack would leave it out", "!reindex " + table.name + " first");
  if (!state.busy_by.empty())
    return core::fail(core::Code::conflict, "Another pg_repack is at work on " + table.name, core::clean_name(state.busy_by), "wait for its end");
  if (!state.leftovers.empty() && !state.ours)
    return core::fail(core::Code::conflict, "What another pg_repack left on " + table.name + " is in the way: " + leftover_names(state), "the bot drops only what its own runs left",
                      fmt::format("when nobody needs it, a superuser runs SELECT repack.repack_drop({}, 4)", state.oid));
  return {};
}

void add_lines(jobs::Plan& plan, const SpaceTable& table, const SpaceHost& host, const RepackState& state, const std::string& version) {
  plan.title = fmt::format("{} ({}, {}) would be written anew while it is used", table.name, core::format_size(core::Bytes{table.total}), core::plural(table.rows, "row", "rows"));
  if (!state.leftovers.empty()) plan.lines.push_back("Leftovers of a stopped run, dropped first: " + leftover_names(state));
  plan.lines.push_back(returned_line(table));
  plan.lines.emplace_back("Lock: reading and writing go on; twice for an instant ACCESS EXCLUSIVE, asked for a second at a time and given up after a minute");
  if (is_vital(table.name))
    plan.lines.emplace_back("⚠ In the instant of the exchange a transaction that is just beginning may see rows as they were a moment before, and Synapse may remember that: restart it afterwards");
  plan.lines.push_back(time_line(rewrite_time(table.total) * 2) + "; it waits for every transaction that is older than itself");
  plan.lines.push_back(rewrite_disk_line(table, host));
  plan.lines.push_back(disk_line(disk_of(host, table.location)));
  add_transaction_line(plan, host, "pg_repack waits for its end");
  plan.lines.push_back("Program: pg_repack " + version);
}

awaitable<core::Result<jobs::Plan>> list(jobs::Plan plan, FoundTables found, Context& context) {
  auto reading = (**context.read()).query(db::sql::report_not_repackable, {{"limit", db::bind(all_tables)}});
  auto rows = co_await std::move(reading);
  if (!rows) co_return core::fail(rows.error());
  std::set<std::string> keyless;
  for (const db::Row& row : *rows) keyless.insert(row.text("name"));
  std::erase_if(found.tables, [&keyless](const SpaceTable& table) { return keyless.contains(table.name); });
  plan = list_candidates(std::move(plan), found.tables, ", vital");
  plan.lines.push_back(fmt::format("Not for pg_repack: {} without a key (!query not-repackable)", core::plural(static_cast<long long>(keyless.size()), "table", "tables")));
  co_return plan;
}

awaitable<core::Result<jobs::Plan>> plan_repack(Arguments arguments, Context& context) {
  auto found = co_await find_tables(table_name(arguments.text("table")), context);
  if (!found) co_return core::fail(found.error());
  const SpaceTable table = found->tables.front();
  RepackTool tool(context.services.io, context.options());
  auto state = co_await tool.look(table.name, **context.read());
  if (!state) co_return core::fail(state.error());
  auto version = co_await tool.check(*state);
  if (!version) co_return core::fail(version.error());
  jobs::Plan plan;
  plan.command = "repack";
  plan.level = static_cast<int>(Level::slows);
  plan.needs_writer = true;
  if (!arguments.has("table")) {
    auto listing = list(std::move(plan), std::move(*found), context);
    co_return co_await std::move(listing);
  }
  auto fits = check_table(table, *state);
  if (!fits) co_return core::fail(fits.error());
  auto room = check_disk(disk_of(found->host, table.location), rewrite_needs(table));
  if (!room) co_return core::fail(room.error());
  if (is_vital(table.name)) {
    plan.level = static_cast<int>(Level::deletes);
    plan.level_reason = "Synapse works on this table all the time";
  }
  if (arguments.flag("dry-run")) plan.level = static_cast<int>(Level::reads);
  add_table(plan, table);
  add_lines(plan, table, found->host, *state, *version);
  co_return plan;
}

// The act on one table. One per run, with the Maintenance whose patience and work session it takes.
class RepackWork {
 public:
  RepackWork(RepackTool& tool, Maintenance& maintenance, jobs::Progress& progress) : tool_(tool), maintenance_(maintenance), progress_(progress) {}

  awaitable<ItemOutcome> act(db::ItemRow item, bool uncertain) {
    Maintenance::Attempt attempt = [this](db::ItemRow row, bool doubtful) { return this->attempt(std::move(row), doubtful); };
    auto persisting = maintenance_.persist(std::move(item), uncertain, std::move(attempt));
    co_return co_await std::move(persisting);
  }

 private:
  struct Look {
    std::optional<SpaceTable> table;
    SpaceHost host;
    RepackState state;
  };

  awaitable<core::Result<Look>> look(std::string name) {
    auto work = [name](db::Transaction& transaction) -> core::Result<Look> {
      Look look;
      auto tables = read_tables(transaction, name);
      if (!tables) return core::fail(tables.error());
      if (!tables->empty()) look.table = std::move(tables->front());
      auto host = read_host(transaction);
      if (!host) return core::fail(host.error());
      look.host = std::move(*host);
      return look;
    };
    auto looking = maintenance_.work().transaction(std::move(work));
    auto found = co_await std::move(looking);
    if (!found) co_return core::fail(found.error());
    auto state = co_await tool_.look(std::move(name), maintenance_.work());
    if (!state) co_return core::fail(state.error());
    found->state = std::move(*state);
    co_return found;
  }

  // Of the bot's own runs only. An error is worth another try, as a lock is that somebody holds.
  awaitable<core::Result<void>> drop_leftovers(const RepackState& state) {
    if (state.leftovers.empty() || !state.ours || !state.busy_by.empty()) co_return core::Result<void>();
    auto dropping = tool_.drop(state);
    co_return co_await std::move(dropping);
  }

  awaitable<core::Result<ItemOutcome>> attempt(db::ItemRow item, bool uncertain) {
    auto before = co_await look(item.target);
    if (!before) co_return core::fail(before.error());
    if (!before->table) co_return outcome(State::kept, "the table is gone");
    auto version = co_await tool_.check(before->state);
    if (!version) co_return outcome(State::failed, core::describe(version.error()));
    // A run that a dead bot had started tidies up by itself, for a moment.
    if (!before->state.busy_by.empty())
      co_return core::fail(core::Error{core::Code::timeout, "Another pg_repack is at work on it", core::clean_name(before->state.busy_by), {}, lock_not_free});
    auto tidied = co_await drop_leftovers(before->state);
    if (!tidied) co_return core::fail(tidied.error());
    if (before->state.ours) before->state.leftovers.clear();
    auto fits = check_table(*before->table, before->state);
    if (!fits) co_return outcome(State::kept, core::describe(fits.error()));
    // Other files than the plan saw: the exchange came through before the connection, or the bot, was lost.
    if (uncertain && std::to_string(before->state.filenode) != item.note) {
      SpaceTable planned = *before->table;
      planned.total = item.bytes;
      planned.dead = item.rows;
      co_return table_outcome(planned, *before->table, {});
    }
    auto room = check_disk(disk_of(before->host, before->table->location), rewrite_needs(*before->table));
    if (!room) co_return outcome(State::kept, room.error().why);
    co_return co_await rewrite(*before->table, before->state);
  }

  awaitable<core::Result<ItemOutcome>> rewrite(SpaceTable before, RepackState state) {
    const auto started = std::chrono::steady_clock::now();
    auto ended = co_await tool_.run(before, state, progress_);
    if (!ended) co_return outcome(State::failed, core::describe(ended.error()));
    // The server processes of a program that was killed live on for a moment.
    auto after = co_await look(before.name);
    for (int looks = 1; after && !after->state.busy_by.empty() && looks < 20; ++looks) {
      co_await async::sleep_for(std::chrono::milliseconds(250));
      after = co_await look(before.name);
    }
    if (!after) co_return core::fail(after.error());
    auto tidied = co_await drop_leftovers(after->state);
    if (!after->table) co_return outcome(State::failed, "the table is gone");
    const bool exchanged = after->state.filenode != before.filenode;
    if (!exchanged && ended->stopped) co_return outcome(State::given_back, "");
    std::string trouble = ended->stopped ? std::string() : ended->trouble;
    if (!tidied) trouble += fmt::format("{}what it left was not dropped: {}", trouble.empty() ? "" : "; ", core::describe(tidied.error()));
    if (exchanged && !trouble.empty()) co_return outcome(State::failed, "it is written anew, but with a complaint: " + trouble);
    if (!exchanged) co_return outcome(State::failed, trouble.empty() ? "pg_repack reported no error, but the table is the old one" : trouble);
    auto analysing = maintenance_.run_unwatched("ANALYZE " + before.quoted, analyze_limits);
    auto analysed = co_await std::move(analysing);
    if (!analysed) co_return outcome(State::failed, "it is written anew, but its statistics are not (!analyze " + before.name + "): " + core::describe(analysed.error()));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
    auto fresh = co_await look(before.name);
    if (!fresh) co_return core::fail(fresh.error());
    co_return table_outcome(before, fresh->table.value_or(*after->table), took);
  }

  RepackTool& tool_;
  Maintenance& maintenance_;
  jobs::Progress& progress_;
};

awaitable<std::string> leftover_line(RepackTool& tool, const std::string& table, const db::Session& work) {
  auto state = co_await tool.look(table, work);
  if (!state) co_return "Verified: not, " + core::describe(state.error());
  if (state->leftovers.empty()) co_return "Leftovers: none; trigger, log and copy of pg_repack are gone";
  co_return fmt::format("Left on {}: {}; each write to the table is logged meanwhile; !repack {} drops it first", table, leftover_names(*state), table);
}

awaitable<core::Result<jobs::Receipt>> run_repack(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  auto sessions = check_sessions(context);
  if (!sessions) co_return core::fail(sessions.error());
  Maintenance maintenance(context.services.io, *context.services.work, *context.services.control, progress);
  RepackTool tool(context.services.io, context.options());
  RepackWork work(tool, maintenance, progress);
  jobs::Progress::Act act = [&work](db::ItemRow item) { return work.act(std::move(item), /*uncertain=*/false); };
  jobs::Progress::Act settle = [&work](db::ItemRow item) { return work.act(std::move(item), /*uncertain=*/true); };
  auto totals = co_await progress.for_each_item("tables", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  auto result = co_await run_result(*totals, progress.job(), context.stores().jobs);
  if (!result) co_return core::fail(result.error());
  jobs::Receipt receipt;
  receipt.title = core::plural(result->done, "table", "tables") + " repacked";
  add_table_lines(receipt, *result, totals->done_rows);
  for (std::string& line : result->troubles) receipt.lines.push_back(std::move(line));
  for (const std::string& lock : plan.locks) {
    auto line = co_await leftover_line(tool, lock.substr(lock.find(':') + 1), *context.services.work);
    receipt.lines.push_back(std::move(line));
  }
  receipt.complete = result->complete;
  co_return receipt;
}

}  // namespace

Command repack() {
  Command command;
  command.spec.name = "repack";
  command.spec.group = command::Group::database;
  command.spec.summary = "Write a table anew without its gaps while it is used, by pg_repack";
  command.spec.level = Level::slows;
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes; twice for an instant nobody reads or writes the table";
  command.spec.sources = "S H";
  command.spec.arguments = {command::optional_positional("table", Type::word, "which one; without it the tables that would return most"), command::standard::dry_run()};
  command.spec.examples = {{"repack", "which tables would return most"}, {"repack event_json --dry-run", "lock, time and disk"}};
  command.manual = manual("repack");
  command.plan = plan_repack;
  command.run = run_repack;
  return command;
}

}  // namespace steward::commands
