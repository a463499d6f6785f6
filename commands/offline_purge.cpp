#include "commands/offline_purge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "commands/room_deletion.hpp"
#include "commands/stopped_synapse.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;

namespace {

// One transaction: about a second of work. A larger room is a group of its own.
constexpr std::int64_t events_per_group = 10'000;
constexpr std::size_t rooms_per_group = 1'000;

std::vector<std::vector<db::ItemRow>> groups_of(std::vector<db::ItemRow> items) {
  std::vector<std::vector<db::ItemRow>> groups;
  std::int64_t events = 0;
  for (db::ItemRow& item : items) {
    const bool full = groups.empty() || events + item.rows > events_per_group || groups.back().size() == rooms_per_group;
    if (full) {
      groups.emplace_back();
      events = 0;
    }
    events += item.rows;
    groups.back().push_back(std::move(item));
  }
  return groups;
}

std::vector<std::string> targets_of(const std::vector<db::ItemRow>& items) {
  std::vector<std::string> targets;
  for (const db::ItemRow& item : items) targets.push_back(item.target);
  return targets;
}

std::vector<int> positions_of(const std::vector<db::ItemRow>& items) {
  std::vector<int> positions;
  for (const db::ItemRow& item : items) positions.push_back(item.position);
  return positions;
}

}  // namespace

OfflinePurge::OfflinePurge(command::Context& context, db::Session& work, jobs::Progress& progress, RoomChoice choice, db::RoomTablesHere tables)
    : context_(context), work_(work), progress_(progress), choice_(std::move(choice)), tables_(std::move(tables)) {}

awaitable<core::Result<db::ItemTotals>> OfflinePurge::run() {
  auto guard = co_await keep_synapse_stopped(context_);
  if (!guard) co_return core::fail(guard.error());
  guard_ = std::move(*guard);
  auto totals = co_await work_through();
  co_await guard_->release();
  co_return totals;
}

awaitable<core::Result<db::ItemTotals>> OfflinePurge::work_through() {
  auto settled = co_await settle();
  if (!settled) co_return core::fail(settled.error());
  auto going = co_await still_unused();
  if (!going) co_return core::fail(going.error());
  rooms_ = static_cast<std::int64_t>(going->size());
  std::vector<Group> groups = groups_of(std::move(*going));
  for (std::size_t index = 0; index < groups.size() && !progress_.stopping(); ++index) {
    show(static_cast<std::int64_t>(index), static_cast<std::int64_t>(groups.size()));
    auto deleted = co_await delete_group(std::move(groups[index]));
    if (!deleted) co_return core::fail(deleted.error());
  }
  co_await tell_tables();
  co_return co_await context_.stores().jobs.totals(progress_.job());
}

// A group that was under way when the bot died is gone or untouched: its transaction was one.
awaitable<core::Result<void>> OfflinePurge::settle() {
  const std::vector<std::string> acting{"acting"};
  auto items = co_await context_.stores().jobs.items(progress_.job(), acting, 0);
  if (!items) co_return core::fail(items.error());
  if (items->empty()) co_return core::Result<void>();
  db::Arguments rooms;
  rooms.emplace_back("rooms", db::bind_array(targets_of(*items)));
  auto rows = co_await work_.query(db::sql::rooms_present, std::move(rooms));
  if (!rows) co_return core::fail(rows.error());
  std::set<std::string> present;
  for (const db::Row& row : *rows) present.insert(row.text("room_id"));
  std::vector<db::JobStore::ItemEnd> ends;
  for (const db::ItemRow& item : *items) ends.push_back({item.position, present.contains(item.target) ? "planned" : "done", "", 0});
  co_return co_await context_.stores().jobs.items_finished(progress_.job(), std::move(ends));
}

// One look at all rooms with the code of the plan. It holds until the end: with Synapse stopped nobody joins or writes.
awaitable<core::Result<std::vector<db::ItemRow>>> OfflinePurge::still_unused() {
  progress_.header("looking at the rooms once more");
  const std::vector<std::string> open{"planned"};
  auto items = co_await context_.stores().jobs.items(progress_.job(), open, 0);
  if (!items) co_return core::fail(items.error());
  auto look = [choice = choice_](db::Transaction& transaction) { return select_rooms(transaction, choice); };
  auto looking = work_.transaction(std::move(look));
  auto selection = co_await std::move(looking);
  if (!selection) co_return core::fail(selection.error());
  std::map<std::string, const RoomFacts*> unused;
  for (const RoomFacts& room : selection->rooms) unused.emplace(room.room_id, &room);
  std::vector<db::ItemRow> going;
  std::vector<db::JobStore::ItemEnd> kept;
  for (db::ItemRow& item : *items) {
    const auto found = unused.find(item.target);
    if (found == unused.end()) {
      kept.push_back({item.position, "kept", "someone joined, or it was gone already", 0});
    } else if (const auto reason = kept_for(*found->second, choice_)) {
      kept.push_back({item.position, "kept", kept_text(*reason), 0});
    } else {
      item.rows = found->second->events;
      going.push_back(std::move(item));
    }
  }
  if (!kept.empty()) {
    auto written = co_await context_.stores().jobs.items_finished(progress_.job(), std::move(kept));
    if (!written) co_return core::fail(written.error());
  }
  co_return going;
}

awaitable<core::Result<void>> OfflinePurge::delete_group(Group group) {
  if (!guard_->held())
    co_return core::fail(core::Code::unavailable, "The lock that keeps Synapse from starting is lost", "its connection to the database broke", "!resume goes on");
  auto acting = co_await context_.stores().jobs.items_acting(progress_.job(), positions_of(group));
  if (!acting) co_return core::fail(acting.error());
  const auto started = std::chrono::steady_clock::now();
  auto work = [rooms = db::bind_array(targets_of(group)), tables = &tables_, guard = guard_->backend_pid()](db::Transaction& transaction) -> core::Result<Deleted> {
    // No pacing: nobody is there to be kept waiting. Compiling takes longer than any of these statements.
    if (auto set = transaction.exec("SET LOCAL statement_timeout = 0; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'"); !set) return core::fail(set.error());
    Deleted deleted;
    for (const db::RoomTable* table : tables->deletion) {
      if (auto gone = transaction.exec(db::delete_by_rooms(*table), {rooms}); !gone) return core::fail(gone.error());
      if (const std::int64_t count = transaction.affected(); count > 0) deleted.rows.emplace_back(table, count);
    }
    if (auto held = db::still_held(transaction, guard); !held) return core::fail(held.error());
    return deleted;
  };
  auto working = work_.transaction(std::move(work));
  auto deleted = co_await std::move(working);
  if (!deleted) co_return co_await give_back(std::move(group), deleted.error());

  TableRows rows, leftovers;
  std::int64_t sum = 0;
  for (const auto& [table, count] : deleted->rows) {
    (table->action == db::RoomAction::orphan ? leftovers : rows)[std::string(table->name)] = count;
    rows_[table] += count;
    sum += count;
  }
  // The counts are the group's: they stand with its first room.
  std::vector<db::JobStore::ItemEnd> ends;
  for (const db::ItemRow& item : group) ends.push_back({item.position, "done", "", 0});
  ends.front().error = write_rows(rows, leftovers);
  ends.front().rows = sum;
  rooms_done_ += static_cast<std::int64_t>(group.size());
  auto written = co_await context_.stores().jobs.items_finished(progress_.job(), std::move(ends));
  if (!written) co_return core::fail(written.error());
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
  std::string line = fmt::format("{}/{} rooms: {}, {}", rooms_done_, rooms_, core::plural(sum, "row", "rows"), core::format_duration(took));
  co_await progress_.notice(std::move(line));
  co_return core::Result<void>();
}

// Rolled back, or, with the connection lost in the commit, found out when the job goes on.
awaitable<core::Result<void>> OfflinePurge::give_back(Group group, core::Error why) {
  const bool known = why.code != core::Code::in_doubt && why.code != core::Code::unavailable;
  if (known) {
    std::vector<db::JobStore::ItemEnd> ends;
    for (const db::ItemRow& item : group) ends.push_back({item.position, "planned", "", 0});
    auto written = co_await context_.stores().jobs.items_finished(progress_.job(), std::move(ends));
    if (!written) co_return core::fail(written.error());
  }
  if (progress_.stopping()) co_return core::Result<void>();
  progress_.request_stop(jobs::StopReason::lock_lost);
  co_return core::fail(std::move(why));
}

awaitable<void> OfflinePurge::tell_tables() {
  std::size_t number = 0;
  for (const db::RoomTable* table : tables_.deletion) {
    ++number;
    const auto found = rows_.find(table);
    if (found == rows_.end()) continue;
    std::string line = fmt::format("{}/{} {}: {}", number, tables_.deletion.size(), table->name, core::plural(found->second, "row", "rows"));
    co_await progress_.notice(std::move(line));
  }
}

void OfflinePurge::show(std::int64_t groups_done, std::int64_t groups) {
  std::string text = fmt::format("{}/{} rooms · group {} of {}", core::format_count(rooms_done_), core::format_count(rooms_), groups_done + 1, groups);
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
  if (groups_done > 0) text += fmt::format(" · {} left", core::format_duration(elapsed * (groups - groups_done) / groups_done));
  progress_.header(std::move(text));
}

}  // namespace steward::commands
