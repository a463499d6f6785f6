// clean-rooms: deletes rooms that nobody on this server uses. Chosen by SQL with a reason for every room that is kept, each looked
// at again directly before its end. clean_rooms_plan.cpp chooses, here is the act: by Synapse's own API room by room
// (room_deletion), of large rooms the events first (room_emptying), or set-wise with Synapse stopped (offline_purge).
// I/O thread; SQL on the work session. The manual page is clean_rooms.md.
#include "commands/clean_rooms.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/danger.hpp"
#include "commands/offline_purge.hpp"
#include "commands/room_deletion.hpp"
#include "commands/room_emptying.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"
#include "db/room_tables.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Command;
using command::Context;
using command::Level;
using command::Type;

namespace {

constexpr std::size_t shown_kept = 8;
constexpr int most_in_flight = 5;  // Synapse runs no more of its tasks at once
constexpr int rooms_beside = 2;    // made ready, or tidied up after, while Synapse deletes those in flight

std::string rows_line(const char* name, const TableRows& rows) {
  std::vector<std::string> parts;
  for (const auto& [table, count] : rows) parts.push_back(table + " " + core::format_count(count));
  return std::string(name) + ": " + core::join(parts, ", ");
}

std::string room_name(const db::ItemRow& item) { return item.label.empty() ? item.target : item.label + " (" + item.target + ")"; }

void add_items(std::vector<std::string>& lines, const char* name, const std::vector<db::ItemRow>& items) {
  for (std::size_t index = 0; index < items.size() && index < shown_kept; ++index)
    lines.push_back(fmt::format("{}: {}: {}", name, room_name(items[index]), items[index].error));
  if (items.size() > shown_kept) lines.push_back(fmt::format("{}: {} more, !log has them all", name, items.size() - shown_kept));
}

// Large rooms that were begun and not finished; "" without one.
awaitable<core::Result<std::string>> begun_line(std::int64_t job, Context& context) {
  const std::vector<std::string> open_states{"planned", "acting", "failed", "unknown"};
  auto open = co_await context.stores().jobs.items(job, open_states, 0);
  if (!open) co_return core::fail(open.error());
  std::vector<std::string> begun;
  for (const db::ItemRow& item : *open) {
    const auto note = EmptyingNote::read(item.note);
    if (note && note->begun) begun.push_back(room_name(item));
  }
  if (begun.empty()) co_return "";
  co_return fmt::format("Partly emptied and blocked until finished: {}; !resume {} or !retry {} goes on there", core::join(begun, ", "), job, job);
}

// Totals by the journal, so that they hold after a restart in the middle, too.
awaitable<core::Result<jobs::Receipt>> receipt_for(db::ItemTotals totals, std::vector<std::string> unfinished, db::Session& work, std::int64_t job, Context& context) {
  const std::vector<std::string> done_state{"done"}, kept_state{"kept"}, failed_states{"failed", "unknown"};
  auto done = co_await context.stores().jobs.items(job, done_state, 0);
  if (!done) co_return core::fail(done.error());
  auto kept = co_await context.stores().jobs.items(job, kept_state, 0);
  if (!kept) co_return core::fail(kept.error());
  auto failed = co_await context.stores().jobs.items(job, failed_states, 0);
  if (!failed) co_return core::fail(failed.error());
  TableRows rows, leftovers;
  std::vector<std::string> ids;
  for (const db::ItemRow& item : *done) {
    read_rows(item.error, rows, leftovers);
    ids.push_back(item.target);
  }
  jobs::Receipt receipt;
  receipt.title = fmt::format("{} deleted, {} gone", core::plural(totals.done, "room", "rooms"), core::plural(totals.done_rows, "row", "rows"));
  const std::int64_t not_cleaned = std::exchange(leftovers["not_cleaned"], 0);
  leftovers.erase("not_cleaned");
  if (!rows.empty()) receipt.lines.push_back(rows_line("Rows", rows));
  if (!done->empty()) receipt.lines.push_back(leftovers.empty() ? "Leftovers: none" : rows_line("Leftovers cleaned", leftovers));
  if (not_cleaned > 0) receipt.lines.push_back(fmt::format("Leftovers not cleaned: of {}, !log says why", core::plural(not_cleaned, "room", "rooms")));
  add_items(receipt.lines, "Kept", *kept);
  add_items(receipt.lines, "Failed", *failed);
  if (totals.planned + totals.acting > 0) receipt.lines.push_back(fmt::format("Left: {} not touched", core::plural(totals.planned + totals.acting, "room", "rooms")));
  if (!unfinished.empty()) receipt.lines.push_back("Synapse still finishes: " + core::join(unfinished, ", ") + "; !resume looks after them");
  auto begun = co_await begun_line(job, context);
  if (!begun) co_return core::fail(begun.error());
  if (!begun->empty()) receipt.lines.push_back(std::move(*begun));
  receipt.complete = totals.failed + totals.unknown + totals.planned + totals.acting + not_cleaned == 0;
  if (ids.empty()) co_return receipt;
  db::Arguments arguments;
  arguments.emplace_back("rooms", db::bind_array(ids));
  auto present = co_await work.query(db::sql::rooms_present, std::move(arguments));
  if (!present) receipt.lines.push_back("Verified: not, " + core::describe(present.error()));
  else if (present->empty()) receipt.lines.push_back(fmt::format("Verified: none of the {} is in Synapse's table of rooms", core::plural(totals.done, "room", "rooms")));
  else receipt.lines.push_back(fmt::format("Verified: {} of them there again: joined anew, or not deleted", core::plural(static_cast<long long>(present->size()), "is", "are")));
  co_return receipt;
}

awaitable<core::Result<db::RoomTablesHere>> look_at_tables(db::Session& work) {
  auto schema = co_await db::schema_state(work);
  if (!schema) co_return core::fail(schema.error());
  auto look = [version = schema->version](db::Transaction& transaction) { return db::room_tables_here(transaction, version); };
  auto looking = work.transaction(std::move(look));
  co_return co_await std::move(looking);
}

struct Worked {
  db::ItemTotals totals;
  std::vector<std::string> unfinished;
};

awaitable<core::Result<Worked>> delete_online(Method method, RoomChoice choice, db::RoomTablesHere tables, db::Session& work, jobs::Progress& progress, Context& context) {
  const int in_flight = std::clamp(context.options().rooms_in_flight, 1, most_in_flight);
  RoomDeletion deletion(context, work, progress, choice, in_flight);
  std::optional<RoomEmptying> emptying;
  jobs::Progress::Act act = [&deletion](db::ItemRow item) { return deletion.act(std::move(item)); };
  jobs::Progress::Act settle = [&deletion](db::ItemRow item) { return deletion.settle(std::move(item)); };
  if (method == Method::hybrid) {
    emptying.emplace(context, work, progress, std::move(choice), std::move(tables), deletion);
    act = [&emptying](db::ItemRow item) { return emptying->act(std::move(item)); };
    settle = [&emptying](db::ItemRow item) { return emptying->settle(std::move(item)); };
  }
  auto totals = co_await progress.for_each_item("rooms", in_flight + rooms_beside, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  Worked worked;
  worked.totals = *totals;
  worked.unfinished = deletion.unfinished();
  co_return worked;
}

awaitable<core::Result<Worked>> delete_offline(RoomChoice choice, db::RoomTablesHere tables, db::Session& work, jobs::Progress& progress, Context& context) {
  OfflinePurge purge(context, work, progress, std::move(choice), std::move(tables));
  auto totals = co_await purge.run();
  if (!totals) co_return core::fail(totals.error());
  Worked worked;
  worked.totals = *totals;
  co_return worked;
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  auto work = context.work();
  if (!work) co_return core::fail(work.error());
  auto choice = stored_choice(plan, context);
  if (!choice) co_return core::fail(choice.error());
  auto tables = co_await look_at_tables(**work);
  if (!tables) co_return core::fail(tables.error());
  auto before = co_await danger_signs(**work);
  const Method method = stored_method(plan);
  auto working = method == Method::offline ? delete_offline(std::move(*choice), std::move(*tables), **work, progress, context)
                                           : delete_online(method, std::move(*choice), std::move(*tables), **work, progress, context);
  auto worked = co_await std::move(working);
  if (!worked) co_return core::fail(worked.error());
  auto receipt = co_await receipt_for(worked->totals, std::move(worked->unfinished), **work, progress.job(), context);
  if (!receipt || progress.stopping()) co_return receipt;
  auto after = co_await danger_signs(**work);
  receipt->lines.push_back(danger_line(before, after));
  co_return receipt;
}

}  // namespace

Command clean_rooms() {
  using command::option;
  Command command;
  command.spec.name = "clean-rooms";
  command.spec.alias = "cr";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "Delete rooms that nobody on this server is in";
  command.spec.level = Level::destroys;
  command.spec.safe_while_running = "yes, slower; a few rooms at a time. Not --method offline: it refuses until Synapse is stopped";
  command.spec.sources = "A S";
  auto older = option("older", Type::age, "only rooms that received no event for this long");
  older.default_text = "30d";
  command.spec.arguments = {
      command::standard::dry_run(),
      std::move(older),
      command::standard::limit(),
      command::repeated_option("keep", Type::room, "keep these rooms"),
      command::repeated_option("include", Type::choice, "also rooms that are kept for this reason", includable_words()),
      command::choice_option("method", {"api", "hybrid", "offline"}, "how rooms are deleted", "api"),
  };
  command.spec.examples = {{"clean-rooms --dry-run", "what would go, what is kept and why"},
                           {"clean-rooms --older 1y --limit 50", "the fifty longest unused"},
                           {"clean-rooms --include left,aliased", "also rooms left but not forgotten, and with a local alias"}};
  command.manual = manual("clean_rooms");
  command.plan = plan_clean_rooms;
  command.run = run;
  return command;
}

}  // namespace steward::commands
