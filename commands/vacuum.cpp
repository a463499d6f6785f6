// analyze, vacuum, vacuum-full: what the planner knows of a table, and the space inside and outside of it. One family: the same
// choice from the catalogue, one table per item, one statement alone on the work session, sizes read again afterwards.
// I/O thread; the plan on the read session. The manual pages are analyze.md, vacuum.md and vacuum_full.md.
#include <fmt/format.h>

#include <algorithm>

#include "commands/all.hpp"
#include "commands/maintenance.hpp"
#include "commands/room_deletion.hpp"
#include "commands/space.hpp"
#include "commands/table_plan.hpp"
#include "commands/vacuum.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"

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

constexpr std::int64_t many_dead_rows = 1000;
constexpr std::size_t shown_largest = 3;
constexpr auto least_full_limit = std::chrono::minutes(10);
constexpr std::int64_t vacuumed_a_second = std::int64_t{100} << 20;  // a modest guess for a disk that others use, too

struct Words {
  const char* command;
  const char* statement;  // the quoted name follows
  const char* done;       // "3 tables vacuumed"
};

constexpr Words words_of(VacuumWay way) {
  switch (way) {
    case VacuumWay::analyze: return {"analyze", "ANALYZE ", "analysed"};
    case VacuumWay::vacuum: return {"vacuum", "VACUUM (ANALYZE) ", "vacuumed"};
    case VacuumWay::full: return {"vacuum-full", "VACUUM (FULL, ANALYZE) ", "written anew"};
  }
  return {"", "", ""};
}

// The rewrite holds everybody up, so it ends by itself; it only ever waits half a second for its lock, because behind a waiting
// one nobody can even read. The other two disturb nobody while they wait.
Maintenance::Limits limits_of(VacuumWay way, std::int64_t bytes) {
  switch (way) {
    case VacuumWay::analyze: return {std::chrono::minutes(30), std::chrono::seconds(20)};
    case VacuumWay::vacuum: return {std::chrono::hours(12), std::chrono::seconds(20)};
    case VacuumWay::full: return {std::max<std::chrono::milliseconds>(least_full_limit, rewrite_time(bytes) * 4), std::chrono::milliseconds(500)};
  }
  return {};
}

std::string dead_rows(std::int64_t count) { return core::plural(count, "dead row", "dead rows"); }
std::string size(std::int64_t bytes) { return core::format_size(core::Bytes{bytes}); }

bool worth_vacuuming(const SpaceTable& table) { return table.dead > 0 && (table.dead >= many_dead_rows || table.dead * 10 >= table.dead + table.live); }

jobs::Plan empty_plan(VacuumWay way, const Arguments& arguments, Level level) {
  jobs::Plan plan;
  plan.command = words_of(way).command;
  plan.level = static_cast<int>(arguments.flag("dry-run") ? Level::reads : level);
  plan.needs_writer = true;
  return plan;
}

awaitable<core::Result<jobs::Plan>> plan_analyze(Arguments arguments, Context& context) {
  auto found = co_await find_tables(table_name(arguments.text("table")), context);
  if (!found) co_return core::fail(found.error());
  jobs::Plan plan = empty_plan(VacuumWay::analyze, arguments, Level::reversible);
  std::int64_t never = 0;
  for (const SpaceTable& table : found->tables) {
    if (!table.allowed) {
      keep(plan, "rights", "not owned by the bot's role", table);
      continue;
    }
    never += table.analysed ? 0 : 1;
    add_table(plan, table);
  }
  plan.title = arguments.has("table") ? "The planner's statistics of " + found->tables.front().name + " would be refreshed"
                                      : fmt::format("The planner's statistics of {} would be refreshed", core::plural(static_cast<long long>(plan.items.size()), "table", "tables"));
  if (plan.items.empty()) plan.title = "No table can be analysed";
  if (never > 0) plan.lines.push_back(fmt::format("Never analysed: {}", core::format_count(never)));
  plan.lines.emplace_back("Lock: SHARE UPDATE EXCLUSIVE on one table at a time; reading and writing go on, schema changes and other vacuums of it wait");
  co_return plan;
}

std::string largest_line(std::vector<SpaceTable> tables) {
  std::stable_sort(tables.begin(), tables.end(), [](const SpaceTable& a, const SpaceTable& b) { return a.dead > b.dead; });
  std::vector<std::string> parts;
  for (std::size_t index = 0; index < tables.size() && index < shown_largest; ++index)
    parts.push_back(fmt::format("{} {}, {}", tables[index].name, size(tables[index].total), dead_rows(tables[index].dead)));
  return "Most: " + core::join(parts, " · ");
}

awaitable<core::Result<jobs::Plan>> plan_vacuum(Arguments arguments, Context& context) {
  auto found = co_await find_tables(table_name(arguments.text("table")), context);
  if (!found) co_return core::fail(found.error());
  jobs::Plan plan = empty_plan(VacuumWay::vacuum, arguments, Level::slows);
  const bool named = arguments.has("table");
  std::vector<SpaceTable> chosen;
  std::int64_t reusable = 0;
  for (const SpaceTable& table : found->tables) {
    if (!table.allowed) {
      keep(plan, "rights", "not owned by the bot's role", table);
    } else if (!named && !worth_vacuuming(table)) {
      keep(plan, "clean", "with hardly a dead row", table);
    } else {
      chosen.push_back(table);
      add_table(plan, table);
      if (table.dead + table.live > 0)
        reusable += static_cast<std::int64_t>(static_cast<double>(table.heap) * static_cast<double>(table.dead) / static_cast<double>(table.dead + table.live));
    }
  }
  for (jobs::Kept& kept : plan.kept)
    if (kept.reason == "clean") kept.examples.clear();
  plan.title = named ? fmt::format("{}: {} and {} living, {}", found->tables.front().name, dead_rows(plan.rows), core::format_count(found->tables.front().live), size(plan.bytes.count))
                     : fmt::format("{} of {} tables have dead rows worth removing: {}", plan.items.size(), found->tables.size(), dead_rows(plan.rows));
  if (plan.items.empty()) {
    plan.title = fmt::format("None of {} tables has dead rows worth removing; !vacuum and a table's name does it all the same", found->tables.size());
    co_return plan;
  }
  if (!named) plan.lines.push_back(largest_line(std::move(chosen)));
  plan.lines.push_back(fmt::format("Space: ≈ {} become reusable inside the files; only an empty end of a file returns to the disk", size(reusable)));
  plan.lines.emplace_back("Lock: SHARE UPDATE EXCLUSIVE on one table at a time; reading and writing go on, schema changes and index builds of it wait");
  plan.lines.push_back(time_line(std::chrono::seconds(1 + plan.bytes.count / vacuumed_a_second)));
  add_transaction_line(plan, found->host, "what it may still see cannot be removed");
  co_return plan;
}

void add_full_lines(jobs::Plan& plan, const SpaceTable& table, const SpaceHost& host) {
  const auto time = rewrite_time(table.total);
  plan.title = fmt::format("{} ({}, {}) would be written anew without its gaps", table.name, size(table.total), core::plural(table.rows, "row", "rows"));
  plan.lines.push_back(returned_line(table));
  plan.lines.emplace_back("Lock: ACCESS EXCLUSIVE all the time: nobody can read or write the table");
  if (is_vital(table.name)) plan.lines.emplace_back("⚠ Messages, syncs or logins need it: the homeserver stands still meanwhile, and the bot can neither hear nor speak here");
  plan.lines.push_back(time_line(time) + "; it ends by itself, undone, after " + core::format_duration(limits_of(VacuumWay::full, table.total).statement));
  plan.lines.push_back(rewrite_disk_line(table, host));
  plan.lines.push_back(disk_line(disk_of(host, table.location)));
  add_transaction_line(plan, host, "the lock may have to wait for it");
  plan.lines.emplace_back("Last backup: none known to the bot");
}

awaitable<core::Result<jobs::Plan>> plan_full(Arguments arguments, Context& context) {
  auto found = co_await find_tables(table_name(arguments.text("table")), context);
  if (!found) co_return core::fail(found.error());
  jobs::Plan plan = empty_plan(VacuumWay::full, arguments, Level::destroys);
  if (!arguments.has("table")) co_return list_candidates(std::move(plan), found->tables, ", stops Synapse meanwhile");
  // The job would be refused for the same reasons; nobody should confirm it first.
  auto schema = co_await db::schema_state(**context.read());
  if (!schema) co_return core::fail(schema.error());
  auto may = db::allows_destruction(*schema);
  if (!may) co_return core::fail(may.error());
  const SpaceTable& table = found->tables.front();
  auto room = check_disk(disk_of(found->host, table.location), rewrite_needs(table));
  if (!room) co_return core::fail(room.error());
  add_table(plan, table);
  plan.word = table.name;
  add_full_lines(plan, table, found->host);
  co_return plan;
}

ItemOutcome analysed(const SpaceTable& table, std::chrono::milliseconds took) {
  ItemOutcome done;
  done.text = write_rows({{"rows", table.rows}}, {});
  done.notice = core::plural(table.rows, "row", "rows") + ", " + core::format_duration(took);
  return done;
}

}  // namespace

VacuumWork::VacuumWork(VacuumWay way, Maintenance& maintenance) : way_(way), maintenance_(maintenance) {}

awaitable<ItemOutcome> VacuumWork::act(db::ItemRow item) {
  Maintenance::Attempt attempt = [this](db::ItemRow row, bool uncertain) { return this->attempt(std::move(row), uncertain); };
  auto persisting = maintenance_.persist(std::move(item), /*uncertain=*/false, std::move(attempt));
  co_return co_await std::move(persisting);
}

awaitable<ItemOutcome> VacuumWork::settle(db::ItemRow item) {
  Maintenance::Attempt attempt = [this](db::ItemRow row, bool uncertain) { return this->attempt(std::move(row), uncertain); };
  auto persisting = maintenance_.persist(std::move(item), /*uncertain=*/true, std::move(attempt));
  co_return co_await std::move(persisting);
}

awaitable<core::Result<VacuumWork::Look>> VacuumWork::look(std::string name) {
  auto work = [name = std::move(name)](db::Transaction& transaction) -> core::Result<Look> {
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
  co_return co_await std::move(looking);
}

awaitable<core::Result<ItemOutcome>> VacuumWork::attempt(db::ItemRow item, bool uncertain) {
  const auto started = std::chrono::steady_clock::now();
  auto before = co_await look(item.target);
  if (!before) co_return core::fail(before.error());
  if (!before->table) co_return outcome(State::kept, "the table is gone");
  const SpaceTable table = *before->table;
  if (!table.allowed) co_return outcome(State::kept, "the bot's database role may not maintain it any more");
  if (way_ == VacuumWay::full) {
    // Other files than the plan saw: the statement came through before the connection, or the bot, was lost.
    if (uncertain && std::to_string(table.filenode) != item.note) {
      SpaceTable planned = table;
      planned.total = item.bytes;
      planned.dead = item.rows;
      co_return table_outcome(planned, table, {});
    }
    auto room = check_disk(disk_of(before->host, table.location), rewrite_needs(table));
    if (!room) co_return outcome(State::kept, room.error().why);
  }
  std::string statement = words_of(way_).statement + table.quoted;
  std::string doing = fmt::format("{} {}", words_of(way_).command, table.name);
  auto ran = co_await maintenance_.run(std::move(statement), std::move(doing), limits_of(way_, table.total));
  if (!ran) co_return core::fail(ran.error());
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
  auto after = co_await look(item.target);
  if (!after) co_return core::fail(after.error());
  if (!after->table) co_return outcome(State::kept, "the table is gone");
  if (way_ == VacuumWay::analyze) co_return analysed(*after->table, took);
  co_return table_outcome(table, *after->table, took);
}

namespace {

awaitable<core::Result<jobs::Receipt>> carry_out(VacuumWay way, jobs::Progress& progress, Context& context) {
  auto sessions = check_sessions(context);
  if (!sessions) co_return core::fail(sessions.error());
  Maintenance maintenance(context.services.io, *context.services.work, *context.services.control, progress);
  VacuumWork work(way, maintenance);
  jobs::Progress::Act act = [&work](db::ItemRow item) { return work.act(std::move(item)); };
  jobs::Progress::Act settle = [&work](db::ItemRow item) { return work.settle(std::move(item)); };
  auto totals = co_await progress.for_each_item("tables", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  auto result = co_await run_result(*totals, progress.job(), context.stores().jobs);
  if (!result) co_return core::fail(result.error());
  jobs::Receipt receipt;
  receipt.title = core::plural(result->done, "table", "tables") + " " + words_of(way).done;
  if (way != VacuumWay::analyze) add_table_lines(receipt, *result, totals->done_rows);
  for (std::string& line : result->troubles) receipt.lines.push_back(std::move(line));
  receipt.complete = result->complete;
  co_return receipt;
}

Command declared(const char* name, std::string summary, Level level, std::string table_text) {
  Command command;
  command.spec.name = name;
  command.spec.group = command::Group::database;
  command.spec.summary = std::move(summary);
  command.spec.level = level;
  command.spec.personal_data = false;
  command.spec.sources = "S";
  command.spec.arguments = {command::optional_positional("table", Type::word, std::move(table_text)), command::standard::dry_run()};
  return command;
}

}  // namespace

Command analyze() {
  Command command = declared("analyze", "Refresh the planner's statistics, so that queries take the right index", Level::reversible, "one table; without it all of them");
  command.spec.safe_while_running = "yes; reading and writing go on";
  command.spec.examples = {{"analyze", "all tables, after much was deleted"}, {"analyze events", ""}};
  command.manual = manual("analyze");
  command.plan = plan_analyze;
  command.run = [](jobs::Plan, jobs::Progress& progress, Context& context) { return carry_out(VacuumWay::analyze, progress, context); };
  return command;
}

Command vacuum() {
  Command command = declared("vacuum", "Make the space of deleted rows usable again", Level::slows, "one table; without it those with many dead rows");
  command.spec.safe_while_running = "yes; the disk is busier";
  command.spec.examples = {{"vacuum --dry-run", "which tables hold dead rows"}, {"vacuum event_json", ""}};
  command.manual = manual("vacuum");
  command.plan = plan_vacuum;
  command.run = [](jobs::Plan, jobs::Progress& progress, Context& context) { return carry_out(VacuumWay::vacuum, progress, context); };
  return command;
}

Command vacuum_full() {
  Command command = declared("vacuum-full", "Write a table anew without its gaps: space goes back to the disk", Level::destroys, "which one; without it the tables that would return most");
  command.spec.safe_while_running = "the table is locked all the time; for the large ones the homeserver stands still";
  command.spec.examples = {{"vacuum-full", "which tables would return most"}, {"vacuum-full state_groups_state --dry-run", "lock, time and disk"}};
  command.manual = manual("vacuum_full");
  command.plan = plan_full;
  command.run = [](jobs::Plan, jobs::Progress& progress, Context& context) { return carry_out(VacuumWay::full, progress, context); };
  return command;
}

}  // namespace steward::commands
