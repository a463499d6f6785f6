#include "commands/room_emptying.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using jobs::ItemOutcome;
using jobs::outcome;
using State = ItemOutcome::State;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr auto batch_target = milliseconds(250), batch_limit = milliseconds(450);
constexpr std::int64_t first_batch = 200, largest_batch = 20'000;
constexpr auto longest_pause = milliseconds(1000);
constexpr auto outage_limit = std::chrono::minutes(10);
constexpr auto slow_outage_step = milliseconds(2000);
constexpr auto block_grace = milliseconds(500);  // a join that passed the check before the block is stored by then
constexpr std::int64_t groups_at_a_time = 50'000;
constexpr std::string_view points_at_newest = "sliding_sync_joined_rooms";  // at the room's newest event, without naming it; one row

// A room that was begun is finished whatever else has come up; only local members keep it.
RoomChoice only_members(RoomChoice choice) {
  for (int reason = 0; reason <= static_cast<int>(Reason::blocked); ++reason) choice.included.insert(static_cast<Reason>(reason));
  for (const Reason reason : {Reason::joined, Reason::invited, Reason::knocked, Reason::joining}) choice.included.erase(reason);
  return choice;
}

std::int64_t sum(const TableRows& rows) {
  return std::accumulate(rows.begin(), rows.end(), std::int64_t{0}, [](std::int64_t total, const auto& each) { return total + each.second; });
}

void add(TableRows& to, const TableRows& rows) {
  for (const auto& [table, count] : rows) to[table] += count;
}

bool goes_with_events(const db::RoomTable& table) { return !table.event.empty() || table.key == db::RoomKey::auth_chain; }

core::Error member_came() { return {core::Code::conflict, "someone joined", "", "", ""}; }

// Settings of one batch, and what must hold in it: Synapse stores no event of the room meanwhile, nobody is in it.
core::Result<void> enter(db::Transaction& transaction, const std::string& room, int backend) {
  if (auto set = transaction.exec("SET LOCAL lock_timeout = '300ms'; SET LOCAL statement_timeout = '500ms'; SET LOCAL jit = off"); !set) return core::fail(set.error());
  auto held = transaction.exec(db::sql::journal_writer_held, {{"pid", db::bind(backend)}});
  if (!held) return core::fail(held.error());
  if (!held->front().boolean("held")) return core::fail(core::Code::unavailable, "The writer lock is lost", "the connection to the database was replaced", "!resume goes on");
  auto locked = transaction.exec(db::sql::rooms_lock, {{"room", room}});
  if (!locked) return core::fail(locked.error());
  auto members = transaction.exec(db::sql::rooms_local_members, {{"room", room}});
  if (!members) return core::fail(members.error());
  if (members->front().boolean("present")) return core::fail(member_came());
  return {};
}

// Over half a second nothing of the batch is kept: the next one is smaller.
core::Result<void> in_time(Clock::time_point started) {
  if (Clock::now() - started < batch_limit) return {};
  return core::fail(core::Code::timeout, "A batch took too long", "it was taken back, a smaller one follows");
}

struct EventPlace {
  std::optional<std::int64_t> before;  // stream position of the last event taken
  std::int64_t taken = 0;
};

core::Result<TableRows> delete_events(db::Transaction& transaction, const db::RoomTablesHere& tables, const std::string& room, std::int64_t size, EventPlace& place) {
  const auto started = Clock::now();
  auto rows = transaction.exec(db::sql::rooms_newest_events,
                               {{"room", room}, {"before", place.before ? db::bind(*place.before) : db::Value()}, {"limit", db::bind(size)}});
  if (!rows) return core::fail(rows.error());
  TableRows gone;
  if (rows->empty()) return gone;
  std::vector<std::string> ids;
  for (const db::Row& row : *rows) ids.push_back(row.text("event_id"));
  const std::string bound = db::bind_array(ids).value_or("");
  const std::string bound_room = db::bind_array({room}).value_or("");
  for (const db::RoomTable* table : tables.deletion) {
    const bool with_room = table->name == points_at_newest && !place.before;
    if (!goes_with_events(*table) && !with_room) continue;
    auto deleted = with_room ? transaction.exec(db::delete_by_rooms(*table), {bound_room}) : transaction.exec(db::delete_by_events(*table), {bound});
    if (!deleted) return core::fail(deleted.error());
    if (const std::int64_t count = transaction.affected(); count > 0) gone[std::string(table->name)] += count;
    if (auto early = in_time(started); !early) return core::fail(early.error());
  }
  place.before = rows->back().integer("stream_ordering");
  place.taken += static_cast<std::int64_t>(ids.size());
  return gone;
}

}  // namespace

// ---- what the journal remembers ------------------------------------------------------------------------------------------

std::string EmptyingNote::text() const {
  if (!blocking) return "hybrid";
  return fmt::format("hybrid blocked_before={} begun={} {}", blocked_before ? 1 : 0, begun ? 1 : 0, write_rows(rows, {}));
}

std::optional<EmptyingNote> EmptyingNote::read(const std::string& note) {
  const std::vector<std::string> words = core::split(note, ' ');
  if (words.empty() || words.front() != "hybrid") return std::nullopt;
  EmptyingNote read;
  if (words.size() < 3) return read;
  read.blocking = true;
  read.blocked_before = words[1] == "blocked_before=1";
  read.begun = words[2] == "begun=1";
  TableRows leftovers;
  if (words.size() > 3) read_rows(words[3], read.rows, leftovers);
  return read;
}

// Rows per batch from the time that the last one took, pauses from the load: how much slower a row is than it was at best.
struct RoomEmptying::Pace {
  std::int64_t size = first_batch;
  double best = 0;  // seconds for one row
  Clock::time_point started = Clock::now(), waiting_since{};
  milliseconds pause{0};
  bool waiting = false;

  void took(milliseconds time, std::int64_t rows) {
    waiting = false;
    const double seconds = std::max(0.001, static_cast<double>(time.count()) / 1000.0);
    const double each = seconds / static_cast<double>(std::max<std::int64_t>(1, rows));
    best = best == 0 ? each : std::min(best, each);
    const double load = std::clamp(each / best - 1.5, 0.05, 2.0);
    pause = std::min(longest_pause, milliseconds(static_cast<std::int64_t>(seconds * load * 1000)));
    const double factor = std::clamp(std::chrono::duration<double>(batch_target).count() / seconds, 0.25, 2.0);
    size = std::clamp(static_cast<std::int64_t>(static_cast<double>(size) * factor), std::int64_t{1}, largest_batch);
  }
  // False when it has been refused for too long.
  bool refused() {
    if (!std::exchange(waiting, true)) {
      waiting_since = Clock::now();
      pause = milliseconds(100);
    }
    pause = std::min<milliseconds>(pause * 2, slow_outage_step);
    size = std::max<std::int64_t>(1, size / 4);
    return Clock::now() - waiting_since < outage_limit;
  }
};

// One large room at a time; whoever waits has begun nothing.
class RoomEmptying::Turn {
 public:
  explicit Turn(RoomEmptying& owner) : owner_(owner) { owner_.busy_ = true; }
  ~Turn() {
    owner_.busy_ = false;
    owner_.free_.notify();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  RoomEmptying& owner_;
};

RoomEmptying::RoomEmptying(command::Context& context, db::Session& work, jobs::Progress& progress, RoomChoice choice, db::RoomTablesHere tables,
                           RoomDeletion& deletion)
    : context_(context),
      work_(work),
      progress_(progress),
      deletion_(deletion),
      finishing_(context, work, progress, only_members(choice), 1),
      watch_(std::make_shared<RoomWatch>(std::move(choice))),
      tables_(std::move(tables)),
      free_(context.services.io) {}

// ---- one room ------------------------------------------------------------------------------------------------------------

awaitable<ItemOutcome> RoomEmptying::act(db::ItemRow item) {
  auto note = EmptyingNote::read(item.note);
  if (!note) co_return co_await deletion_.act(std::move(item));
  while (busy_) {
    if (progress_.stopping()) co_return outcome(State::given_back);
    co_await free_.wait(milliseconds(200));
  }
  const Turn turn(*this);
  if (progress_.stopping()) co_return outcome(State::given_back);
  if (!note->begun) {
    auto kept = co_await look_and_block(item, *note);
    if (kept) co_return std::move(*kept);
  }
  auto stopped = co_await empty(item, *note);
  if (stopped) co_return co_await finish(std::move(item), std::move(*note), std::move(*stopped));
  auto deleted = co_await finishing_.act(item);
  co_return co_await finish(std::move(item), std::move(*note), std::move(deleted));
}

awaitable<ItemOutcome> RoomEmptying::settle(db::ItemRow item) {
  auto note = EmptyingNote::read(item.note);
  if (!note) co_return co_await deletion_.settle(std::move(item));
  if (!note->begun) co_return outcome(State::given_back);
  // Synapse may have been asked to delete it already.
  auto settled = co_await finishing_.settle(item);
  co_return co_await finish(std::move(item), std::move(*note), std::move(settled));
}

awaitable<core::Result<std::optional<RoomFacts>>> RoomEmptying::look(std::string room_id) {
  auto work = [watch = watch_, room_id](db::Transaction& transaction) { return watch->look(transaction, room_id); };
  auto looking = work_.transaction(std::move(work));
  co_return co_await std::move(looking);
}

// An outcome when the room does not go: it qualifies no more, before the block or after it, or it could not be blocked.
awaitable<std::optional<ItemOutcome>> RoomEmptying::look_and_block(db::ItemRow& item, EmptyingNote& note) {
  const bool again = note.blocking;  // another life of the job blocked it and got no further
  auto room = co_await look(item.target);
  if (!room) co_return gave_up(room.error());
  if (!*room) co_return outcome(State::kept, "it was gone already");
  if (!again) {
    if (const auto reason = kept_for(**room, watch_->choice())) co_return outcome(State::kept, kept_text(*reason));
    note.blocking = true;
    note.blocked_before = (**room).reasons.contains(Reason::blocked);
    auto remembered = co_await remember(item, note);
    if (!remembered) co_return gave_up(remembered.error());
  }
  if (!note.blocked_before) {
    auto blocked = co_await set_block(item.target, true);
    if (!blocked) co_return co_await finish(item, note, gave_up(blocked.error()));
  }
  const bool on = co_await progress_.wait(block_grace);
  if (!on) co_return co_await finish(item, note, outcome(State::given_back));
  auto after = co_await look(item.target);
  if (!after) co_return co_await finish(item, note, gave_up(after.error()));
  if (!*after) co_return co_await finish(item, note, outcome(State::kept, "it was gone already"));
  RoomFacts facts = std::move(**after);
  if (!note.blocked_before) facts.reasons.erase(Reason::blocked);  // ours
  if (const auto reason = kept_for(facts, watch_->choice())) co_return co_await finish(item, note, outcome(State::kept, kept_text(*reason)));
  note.begun = true;
  auto remembered = co_await remember(item, note);
  if (!remembered) co_return gave_up(remembered.error());
  co_return std::nullopt;
}

awaitable<std::optional<ItemOutcome>> RoomEmptying::empty(db::ItemRow& item, EmptyingNote& note) {
  auto stopped = co_await empty_events(item, note);
  if (!stopped) stopped = co_await empty_state(item, note);
  if (stopped) co_return stopped;
  std::size_t number = 0;
  for (const db::RoomTable* table : tables_.deletion) {
    ++number;
    const auto found = note.rows.find(std::string(table->name));
    if (found == note.rows.end()) continue;
    std::string line = fmt::format("{} · {}/{} {}: {}", item.label, number, tables_.deletion.size(), table->name, core::plural(found->second, "row", "rows"));
    co_await progress_.notice(std::move(line));
  }
  co_return std::nullopt;
}

awaitable<std::optional<ItemOutcome>> RoomEmptying::empty_events(db::ItemRow& item, EmptyingNote& note) {
  Pace pace;
  auto place = std::make_shared<EventPlace>();
  const std::int64_t before = note.rows["events"];
  for (;;) {
    const std::int64_t size = pace.size;
    const std::int64_t taken = place->taken;
    auto work = [this, room = item.target, size, place](db::Transaction& transaction) -> core::Result<TableRows> {
      if (auto entered = enter(transaction, room, work_.backend_pid()); !entered) return core::fail(entered.error());
      return delete_events(transaction, tables_, room, size, *place);
    };
    const EventPlace kept = *place;
    const auto started = Clock::now();
    auto working = work_.transaction(std::move(work));
    auto batch = co_await std::move(working);
    if (!batch) *place = kept;
    else pace.took(std::chrono::duration_cast<milliseconds>(Clock::now() - started), place->taken - taken);
    if (batch && place->taken == taken) break;
    auto stopped = co_await after_batch(batch, item, note, pace);
    if (stopped) co_return stopped;
    if (!batch) continue;
    const std::int64_t done = before + place->taken, all = std::max(item.rows, done);
    progress_.header(fmt::format("{} · {}/{} events emptied · {} %", item.label, core::format_count(done), core::format_count(all), done * 100 / all));
  }
  co_return std::nullopt;
}

// By now no event of the room names a group. One group can have as many rows as a room has members, so the rows are taken by
// number, then the groups that have none any more.
awaitable<std::optional<ItemOutcome>> RoomEmptying::empty_state(db::ItemRow& item, EmptyingNote& note) {
  Pace pace;
  for (;;) {
    db::Arguments arguments;
    arguments.emplace_back("room", item.target);
    arguments.emplace_back("limit", db::bind(groups_at_a_time));
    auto rows = co_await work_.query(db::sql::rooms_state_groups, std::move(arguments));
    if (!rows) {
      core::Result<TableRows> failed = core::fail(rows.error());
      auto stopped = co_await after_batch(failed, item, note, pace);
      if (stopped) co_return stopped;
      continue;
    }
    if (rows->empty()) co_return std::nullopt;
    for (std::size_t next = 0; next < rows->size();) {
      std::vector<std::string> groups;
      for (std::size_t at = next; at < rows->size() && groups.size() < static_cast<std::size_t>(pace.size); ++at) groups.push_back((*rows)[at].text("id"));
      auto work = [this, room = item.target, ids = db::bind_array(groups), size = pace.size](db::Transaction& transaction) -> core::Result<TableRows> {
        if (auto entered = enter(transaction, room, work_.backend_pid()); !entered) return core::fail(entered.error());
        TableRows gone;
        auto deleted = transaction.exec(db::sql::rooms_delete_state_rows, {{"groups", ids}, {"limit", db::bind(size)}});
        if (!deleted) return core::fail(deleted.error());
        if (const std::int64_t count = transaction.affected(); count > 0) gone["state_groups_state"] = count;
        if (gone["state_groups_state"] == size) return gone;  // there may be more
        auto ended = transaction.exec(db::sql::rooms_delete_state_groups, {{"groups", ids}, {"room", room}});
        if (!ended) return core::fail(ended.error());
        for (const char* table : {"state_group_edges", "state_groups"})
          if (const std::int64_t count = ended->front().integer(table); count > 0) gone[table] = count;
        return gone;
      };
      const auto started = Clock::now();
      auto working = work_.transaction(std::move(work));
      auto batch = co_await std::move(working);
      if (batch) {
        pace.took(std::chrono::duration_cast<milliseconds>(Clock::now() - started), std::max<std::int64_t>(1, sum(*batch)));
        if (batch->contains("state_groups")) next += groups.size();
      }
      auto stopped = co_await after_batch(batch, item, note, pace);
      if (stopped) co_return stopped;
      progress_.header(fmt::format("{} · {} state rows emptied", item.label, core::format_count(note.rows["state_groups_state"])));
    }
  }
}

// Journals what is gone and waits as the load wants it; an outcome when the room is given back, kept or failed.
awaitable<std::optional<ItemOutcome>> RoomEmptying::after_batch(const core::Result<TableRows>& batch, db::ItemRow& item, EmptyingNote& note, Pace& pace) {
  if (batch) {
    add(note.rows, *batch);
    auto remembered = co_await remember(item, note);
    if (!remembered) co_return gave_up(remembered.error());
  } else {
    const core::Error& error = batch.error();
    if (progress_.stopping()) co_return outcome(State::given_back);
    if (error.what == member_came().what) co_return outcome(State::kept, sum(note.rows) == 0 ? error.what : "someone joined; the newest part of its history here was gone already");
    const bool again = error.code == core::Code::timeout || error.code == core::Code::conflict || core::is_temporary(error) || error.code == core::Code::in_doubt;
    if (!again || !pace.refused()) co_return gave_up(error);
    progress_.header(fmt::format("{} · waiting: {}", item.label, error.what));
  }
  const bool on = co_await progress_.wait(std::max(pace.pause, milliseconds(1)));
  if (!on) co_return outcome(State::given_back);
  co_return std::nullopt;
}

// The end of a room that may be blocked by us. Deleted, kept or untouched: the previous block state again. Given back or failed
// after rows are gone: it stays blocked until it is finished.
awaitable<ItemOutcome> RoomEmptying::finish(db::ItemRow item, EmptyingNote note, ItemOutcome ended) {
  const bool leaves = ended.state == State::done || ended.state == State::kept || !note.begun;
  if (leaves && note.blocking && !note.blocked_before) {
    const auto until = Clock::now() + outage_limit;
    milliseconds pause(500);
    for (;;) {
      auto unblocked = co_await set_block(item.target, false);
      if (unblocked) break;
      const bool again = core::is_temporary(unblocked.error()) || unblocked.error().code == core::Code::timeout || unblocked.error().code == core::Code::in_doubt;
      progress_.header("waiting for Synapse to unblock a room: " + unblocked.error().what);
      const bool on = again && Clock::now() < until && co_await progress_.wait(pause);
      if (!on) co_return outcome(State::given_back);  // the room is gone or stays; what is left is this
      pause = std::min<milliseconds>(pause * 2, slow_outage_step);
    }
  }
  if (ended.state == State::done) {
    TableRows rows, leftovers;
    read_rows(ended.text, rows, leftovers);
    add(rows, note.rows);
    const std::int64_t not_cleaned = std::exchange(leftovers["not_cleaned"], 0);
    if (not_cleaned > 0) leftovers["not_cleaned"] = not_cleaned;
    ended.text = write_rows(rows, leftovers);
    ended.rows = sum(rows);
    ended.notice = fmt::format("{} in all; {}", core::plural(ended.rows, "row", "rows"), ended.notice);
  } else if (note.begun && ended.state == State::failed) {
    ended.text += "; it is partly emptied and stays blocked";
  }
  co_return ended;
}

awaitable<core::Result<void>> RoomEmptying::set_block(std::string room_id, bool block) {
  co_return co_await context_.admin().set_room_block(core::RoomId(std::move(room_id)), block);
}

awaitable<core::Result<void>> RoomEmptying::remember(db::ItemRow& item, const EmptyingNote& note) {
  item.note = note.text();
  co_return co_await context_.stores().jobs.item_note(item.job, item.position, item.note);
}

ItemOutcome RoomEmptying::gave_up(const core::Error& error) {
  const bool again = core::is_temporary(error) || error.code == core::Code::cancelled || error.code == core::Code::in_doubt || error.code == core::Code::timeout;
  if (!again) return outcome(State::failed, core::describe(error));
  if (!progress_.stopping()) progress_.request_stop(jobs::StopReason::lock_lost);
  return outcome(State::given_back);
}

}  // namespace steward::commands
