// compress-state: fewer rows in state_groups_state for the same states. compression/ chooses, state_compression.cpp reads and
// writes. The plan on the read session and the compute thread, the act on the work session, chunk by chunk; I/O thread else.
// The manual page is compress_state.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/space.hpp"
#include "commands/state_compression.hpp"
#include "commands/unused_state_groups.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using jobs::ItemOutcome;
using State = ItemOutcome::State;

namespace {

constexpr std::int64_t default_rooms = 10;
constexpr int oldest_schema = 89;  // state_groups_pending_deletion: without it the act could not be safe
constexpr auto read_limit = std::chrono::minutes(5);
constexpr int lock_tries = 5;
constexpr std::size_t shown_rooms = 8;
constexpr const char* state_table = "state_groups_state";

struct Found {
  std::shared_ptr<RoomState> state;
  compression::Compression compression;
};

awaitable<core::Result<Found>> compress_room(std::string room_id, db::Session& session, Context& context) {
  auto work = [room_id](db::Transaction& transaction) { return read_state(transaction, room_id); };
  auto reading = session.transaction(std::move(work));
  auto state = co_await std::move(reading);
  if (!state) co_return core::fail(state.error());
  auto compute = [groups = &(**state).groups]() { return compression::compress(*groups); };
  auto computing = async::on_thread(*context.services.compute, std::move(compute));
  auto compressed = co_await std::move(computing);
  if (!compressed) co_return core::fail(compressed.error());
  Found found;
  found.state = std::move(*state);
  found.compression = std::move(*compressed);
  co_return found;
}

std::string gain_words(std::int64_t before, std::int64_t after) {
  return fmt::format("{} → {} rows", core::format_count(before), core::format_count(after));
}

// ≈ the bytes of so many rows of state_groups_state, with their part of its indexes.
struct Space { core::Bytes rows, table; };

awaitable<core::Result<Space>> space_of(std::int64_t rows, db::Session& session) {
  auto look = [](db::Transaction& transaction) { return read_tables(transaction, state_table); };
  auto looking = session.transaction(std::move(look));
  auto tables = co_await std::move(looking);
  if (!tables) co_return core::fail(tables.error());
  Space space;
  if (tables->empty()) co_return space;
  const SpaceTable& table = tables->front();
  const std::int64_t all = std::max({rows, table.rows, table.live + table.dead, std::int64_t{1}});
  space.table.count = table.total;
  space.rows.count = static_cast<std::int64_t>(static_cast<double>(table.total) * static_cast<double>(rows) / static_cast<double>(all));
  co_return space;
}

struct Gain {
  std::string room;
  std::int64_t before = 0, after = 0;
  std::size_t changed = 0;
  bool whole = true;
};

awaitable<core::Result<std::vector<std::string>>> rooms_to_look_at(const Arguments& arguments, db::Session& read) {
  std::vector<std::string> rooms;
  if (const auto room = arguments.room("room")) {
    rooms.push_back(room->str());
    co_return rooms;
  }
  const std::int64_t limit = arguments.integer("limit").value_or(default_rooms);
  db::Arguments bound;
  bound.emplace_back("limit", db::bind(limit));
  auto rows = co_await read.query_within(read_limit, db::sql::state_rooms, std::move(bound));
  if (!rows) co_return core::fail(rows.error());
  for (const db::Row& row : *rows) rooms.push_back(row.text("room_id"));
  co_return rooms;
}

jobs::Plan plan_for(const std::vector<Gain>& gains, const std::vector<std::string>& refused, bool dry_run) {
  jobs::Plan plan;
  plan.command = "compress-state";
  plan.level = static_cast<int>(dry_run ? Level::reads : Level::deletes);
  plan.needs_writer = true;
  std::int64_t before = 0, after = 0;
  for (const Gain& gain : gains) {
    if (gain.changed == 0) continue;
    before += gain.before;
    after += gain.after;
    plan.items.push_back({.kind = "room", .target = gain.room, .label = gain.room, .bytes = {}, .rows = gain.before - gain.after, .note = {}});
    plan.locks.push_back("room:" + gain.room);
    if (plan.items.size() <= shown_rooms)
      plan.lines.push_back(fmt::format("{}: {}, {} to rewrite{}", gain.room, gain_words(gain.before, gain.after),
                                       core::plural(static_cast<long long>(gain.changed), "state group", "state groups"),
                                       gain.whole ? "" : "; its oldest part, the rest another time"));
  }
  plan.rows = before - after;
  if (plan.items.empty()) {
    plan.title = fmt::format("{} looked at: their state needs no fewer rows", core::plural(static_cast<long long>(gains.size()), "room", "rooms"));
  } else {
    plan.title = fmt::format("The state of {} would take {}", core::plural(static_cast<long long>(plan.items.size()), "room", "rooms"), gain_words(before, after));
    if (plan.items.size() > shown_rooms) plan.lines.push_back(fmt::format("And {} more", plan.items.size() - shown_rooms));
    plan.lines.emplace_back("Every state stays the same: computed before and after in each transaction, which is taken back if they differ");
  }
  for (const std::string& each : refused) plan.lines.push_back("Left alone: " + each);
  return plan;
}

awaitable<core::Result<jobs::Plan>> plan(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto schema = co_await db::schema_state(**read);
  if (!schema) co_return core::fail(schema.error());
  if (auto allowed = db::allows_destruction(*schema); !allowed) co_return core::fail(allowed.error());
  if (schema->version < oldest_schema)
    co_return core::fail(core::Code::conflict, fmt::format("Synapse's schema {} is too old for this", schema->version),
                         "its own deletion of state groups cannot be told of changes before schema 89", "upgrade Synapse first");
  auto apart = co_await keep_an_hour_from("clean-state-groups", context);
  if (!apart) co_return core::fail(apart.error());
  auto rooms = co_await rooms_to_look_at(arguments, **read);
  if (!rooms) co_return core::fail(rooms.error());
  std::vector<Gain> gains;
  std::vector<std::string> refused;
  for (const std::string& room : *rooms) {
    auto found = co_await compress_room(room, **read, context);
    if (!found && found.error().code == core::Code::conflict) {
      refused.push_back(room + ": " + core::describe(found.error()));
      continue;
    }
    if (!found) co_return core::fail(found.error());
    if (found->state->groups.groups().empty() && rooms->size() == 1) co_return core::fail(core::Code::not_found, "There are no state groups of " + room);
    gains.push_back({room, found->compression.rows_before, found->compression.rows_after, found->compression.changed.size(), found->state->whole});
  }
  std::stable_sort(gains.begin(), gains.end(), [](const Gain& a, const Gain& b) { return a.before - a.after > b.before - b.after; });
  jobs::Plan made = plan_for(gains, refused, arguments.flag("dry-run"));
  if (made.rows > 0) {
    auto space = co_await space_of(made.rows, **read);
    if (!space) co_return core::fail(space.error());
    made.lines.push_back(fmt::format("Space: ≈ {} of {}'s {} would become free for new rows; only !vacuum-full returns them to the disk", core::format_size(space->rows), state_table, core::format_size(space->table)));
  }
  co_return made;
}

class Compressing {
 public:
  Compressing(db::Session& work, jobs::Progress& progress, Context& context) : work_(work), progress_(progress), context_(context) {}

  // Chooses anew, with what is there now: what another life of the job rewrote needs nothing any more. `killed`: that life did
  // not come to note its rows; they are what is missing from the plan's.
  awaitable<ItemOutcome> act(db::ItemRow item, bool killed) {
    ItemOutcome outcome;
    auto found = co_await compress_room(item.target, work_, context_);
    if (!found) {
      if (found.error().code != core::Code::conflict) co_return ended_early(std::move(outcome), found.error());
      outcome.state = State::kept;
      outcome.text = core::describe(found.error());
      co_return outcome;
    }
    const std::size_t groups = found->compression.changed.size();
    outcome.rows = killed ? std::max<std::int64_t>(0, item.rows - (found->compression.rows_before - found->compression.rows_after)) : item.done_rows;
    std::size_t skipped = 0;
    Chunks chunks(*found->state, found->compression);
    while (const auto chunk = chunks.next()) {
      progress_.header(fmt::format("{} · {}/{} state groups", item.target, core::format_count(static_cast<long long>(chunks.done())), core::format_count(static_cast<long long>(groups))));
      const auto started = std::chrono::steady_clock::now();
      auto rows = co_await rewrite_chunk(item.target, *chunk, found->state->groups);
      if (rows) outcome.rows += *rows;
      else if (rows.error().code == core::Code::conflict) skipped += chunks.again_by_one() ? 0U : 1U;
      else co_return ended_early(std::move(outcome), rows.error());
      const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
      chunks.took(taken);
      const bool on = co_await progress_.wait(pause_after(taken));
      if (!on && chunks.done() < groups) {
        outcome.state = State::given_back;
        co_return outcome;
      }
    }
    const bool nothing = groups == 0 && outcome.rows == 0;
    if (nothing) outcome.state = State::kept;
    outcome.notice = nothing ? "nothing to gain any more" : core::plural(outcome.rows, "row", "rows") + " fewer";
    if (nothing) outcome.text = outcome.notice;
    if (skipped > 0) outcome.text = fmt::format("{} of {} groups left as they are: Synapse changed them meanwhile", skipped, groups);
    if (skipped > 0) outcome.notice += "; " + outcome.text;
    co_return outcome;
  }
  const std::optional<core::Error>& gave_up() const { return gave_up_; }

 private:
  // A lock that is not given is tried again.
  awaitable<core::Result<std::int64_t>> rewrite_chunk(std::string room, const Chunk& chunk, const compression::StateGroups& read) {
    for (int tried = 1;; ++tried) {
      auto act = [room, &chunk, &read](db::Transaction& transaction) { return rewrite(transaction, room, chunk, read); };
      auto acting = work_.transaction(std::move(act));
      auto rows = co_await std::move(acting);
      if (rows || rows.error().code != core::Code::timeout || tried == lock_tries) co_return rows;
      const bool on = co_await progress_.wait(std::chrono::milliseconds(200) * tried);
      if (!on) co_return rows;
    }
  }
  // Each chunk is whole or not at all; what is left is found anew when the room is taken up again.
  ItemOutcome ended_early(ItemOutcome outcome, const core::Error& error) {
    const bool again = core::is_temporary(error) || error.code == core::Code::cancelled || error.code == core::Code::in_doubt;
    outcome.state = again ? State::given_back : State::failed;
    outcome.text = core::describe(error);
    if (again && !progress_.stopping()) {
      gave_up_ = error;
      progress_.request_stop(jobs::StopReason::lock_lost);
    }
    return outcome;
  }

  db::Session& work_;
  jobs::Progress& progress_;
  Context& context_;
  std::optional<core::Error> gave_up_;
};

awaitable<core::Result<void>> tell_of(const char* name, std::string state, std::int64_t job, Context& context, jobs::Receipt& receipt) {
  std::vector<std::string> states;
  states.push_back(std::move(state));
  auto items = co_await context.stores().jobs.items(job, std::move(states), 0);
  if (!items) co_return core::fail(items.error());
  for (const db::ItemRow& item : *items)
    if (!item.error.empty()) receipt.lines.push_back(fmt::format("{}: {}: {}", name, item.target, item.error));
  co_return core::Result<void>();
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan, jobs::Progress& progress, Context& context) {
  auto work = context.work();
  if (!work) co_return core::fail(work.error());
  auto apart = co_await keep_an_hour_from("clean-state-groups", context);
  if (!apart) co_return core::fail(apart.error());
  Compressing compressing(**work, progress, context);
  jobs::Progress::Act act = [&compressing](db::ItemRow item) { return compressing.act(std::move(item), /*killed=*/false); };
  jobs::Progress::Act settle = [&compressing](db::ItemRow item) { return compressing.act(std::move(item), /*killed=*/true); };
  auto totals = co_await progress.for_each_item("rooms", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  if (compressing.gave_up()) co_return core::fail(*compressing.gave_up());
  jobs::Receipt receipt;
  const std::int64_t left = totals->planned + totals->acting;
  receipt.title = core::plural(totals->done_rows, "row", "rows") + " fewer";
  receipt.title += totals->done > 0 ? " in " + core::plural(totals->done, "room", "rooms") : "; no room is finished";
  auto partly = co_await tell_of("Partly", "done", progress.job(), context, receipt);
  if (!partly) co_return core::fail(partly.error());
  auto kept = co_await tell_of("Kept", "kept", progress.job(), context, receipt);
  if (!kept) co_return core::fail(kept.error());
  auto failed = co_await tell_of("Failed", "failed", progress.job(), context, receipt);
  if (!failed) co_return core::fail(failed.error());
  if (totals->done_rows > 0) {
    auto space = co_await space_of(totals->done_rows, **work);
    if (space)
      receipt.lines.push_back(fmt::format("Space: !vacuum {0} would make ≈ {1} of its {2} usable for new rows and return none; !vacuum-full {0} would return ≈ {1} to the disk",
                                          state_table, core::format_size(space->rows), core::format_size(space->table)));
  }
  receipt.lines.emplace_back("Verified: every rewritten state group was collapsed before and after in its transaction, and equal");
  if (left > 0) receipt.lines.push_back(fmt::format("Left: {}, !resume goes on", core::plural(left, "room", "rooms")));
  receipt.complete = totals->failed + totals->unknown + left == 0;
  co_return receipt;
}

}  // namespace

Command compress_state() {
  Command command;
  command.spec.name = "compress-state";
  command.spec.group = command::Group::database;
  command.spec.summary = "Fewer rows for the state of rooms, every state proven the same";
  command.spec.level = Level::deletes;
  command.spec.safe_while_running = "yes; short transactions with pauses";
  command.spec.sources = "S";
  command.spec.arguments = {
      command::optional_positional("room", command::Type::room, "only this room; else those with the most state groups"),
      command::standard::dry_run(),
      command::standard::limit(),
  };
  command.spec.examples = {{"compress-state --dry-run", "rows before and after of the ten rooms with the most state groups"},
                           {"compress-state #lounge:example.org", "one room"}};
  command.manual = manual("compress_state");
  command.plan = plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
