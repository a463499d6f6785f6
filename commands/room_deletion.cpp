#include "commands/room_deletion.hpp"

#include <fmt/format.h>

#include <charconv>

#include "async/tasks.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using jobs::ItemOutcome;
using State = ItemOutcome::State;

namespace {

constexpr auto shortest_poll = std::chrono::milliseconds(20);  // a small room is gone in a tenth of a second
constexpr auto longest_poll = std::chrono::milliseconds(2000);
constexpr auto stop_grace = std::chrono::milliseconds(300);  // !freeze has a second for everything
constexpr int most_lost_requests = 3;
constexpr auto outage_limit = std::chrono::minutes(10);
constexpr auto lost_answer_limit = std::chrono::seconds(15);
constexpr auto slow_outage_step = std::chrono::seconds(10);

constexpr const char* counted_tables[] = {"events", "event_json", "event_edges", "event_auth", "event_to_state_groups", "state_events",
                                          "event_search", "room_memberships", "e2e_room_keys", "state_groups", "state_groups_state"};

void add(std::string& text, std::string_view mark, const TableRows& rows) {
  for (const auto& [table, count] : rows) {
    if (count == 0) continue;
    if (!text.empty()) text += ',';
    text += fmt::format("{}{}={}", mark, table, count);
  }
}

std::int64_t sum(const TableRows& rows) {
  std::int64_t total = 0;
  for (const auto& [table, count] : rows) total += count;
  return total;
}

}  // namespace

std::string kept_text(Reason reason) {
  switch (reason) {
    case Reason::joined: return "someone joined";
    case Reason::invited: return "a local user was invited";
    case Reason::knocked: return "a local user asked to join";
    case Reason::recent: return "it was used again";
    default: return "now " + std::string(explanation(reason));
  }
}

std::string write_rows(const TableRows& rows, const TableRows& leftovers) {
  std::string text;
  add(text, "", rows);
  add(text, "left:", leftovers);
  return text;
}

void read_rows(const std::string& text, TableRows& rows, TableRows& leftovers) {
  for (const std::string& part : core::split(text, ',')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) continue;
    std::int64_t count = 0;
    std::from_chars(part.data() + equals + 1, part.data() + part.size(), count);
    const bool left = part.starts_with("left:");
    const std::size_t start = left ? 5 : 0;
    (left ? leftovers : rows)[part.substr(start, equals - start)] += count;
  }
}

RoomDeletion::RoomDeletion(command::Context& context, db::Session& work, jobs::Progress& progress, RoomChoice choice, int in_flight)
    : context_(context),
      work_(work),
      progress_(progress),
      slots_(context.services.io, in_flight),
      watch_(std::make_shared<RoomWatch>(std::move(choice))) {}

// For the receipt and for what is cleaned afterwards; decides nothing.
awaitable<core::Result<RoomDeletion::Holdings>> RoomDeletion::count(std::string room_id) {
  db::Arguments arguments;
  arguments.emplace_back("room", std::move(room_id));
  auto rows = co_await work_.query(db::sql::rooms_rows, std::move(arguments));
  if (!rows) co_return core::fail(rows.error());
  const db::Row& row = rows->front();
  Holdings holdings;
  for (const char* table : counted_tables) holdings.rows[table] = row.integer(table);
  holdings.names.aliases = row.list("aliases");
  holdings.names.expiring = row.list("expiring");
  co_return holdings;
}

awaitable<core::Result<RoomDeletion::Before>> RoomDeletion::look(std::string room_id) {
  auto work = [watch = watch_, room_id](db::Transaction& transaction) -> core::Result<Before> {
    Before before;
    auto last = transaction.exec(db::sql::rooms_last_deletion, {{"room", room_id}});
    if (!last) return core::fail(last.error());
    before.task = last->front().text("task");
    before.task_status = last->front().text("status");
    auto room = watch->look(transaction, room_id);
    if (!room) return core::fail(room.error());
    before.room = std::move(*room);
    return before;
  };
  auto looking = work_.transaction(std::move(work));
  co_return co_await std::move(looking);
}

awaitable<ItemOutcome> RoomDeletion::act(db::ItemRow item) {
  auto persisting = persist(std::move(item), /*settling=*/false);
  co_return co_await std::move(persisting);
}

awaitable<ItemOutcome> RoomDeletion::settle(db::ItemRow item) {
  auto persisting = persist(std::move(item), /*settling=*/true);
  co_return co_await std::move(persisting);
}

// Tries again while Synapse or PostgreSQL is away; every try looks at the room anew.
awaitable<ItemOutcome> RoomDeletion::persist(db::ItemRow item, bool settling) {
  const auto until = std::chrono::steady_clock::now() + outage_limit;
  std::chrono::milliseconds pause = std::chrono::seconds(1);
  for (;;) {
    auto tried = co_await attempt(item, settling);
    if (tried) co_return std::move(*tried);
    if (std::chrono::steady_clock::now() > until) {
      progress_.request_stop(jobs::StopReason::lock_lost);
      co_return outcome(State::given_back, "");
    }
    const bool on = co_await progress_.wait(pause);
    if (!on) co_return outcome(State::given_back, "");
    pause = std::min<std::chrono::milliseconds>(pause * 2, slow_outage_step);
  }
}

// nullopt: try again later.
awaitable<std::optional<ItemOutcome>> RoomDeletion::attempt(db::ItemRow item, bool settling) {
  auto counted = co_await count(item.target);
  Slot slot = co_await slots_.take();
  if (!slot) co_return outcome(State::given_back, "");
  // Only now, so that nothing but the request comes after the look.
  const auto started = std::chrono::steady_clock::now();
  auto before = co_await look(item.target);
  if (before && !counted) before = core::fail(counted.error());
  if (progress_.stopping() && !settling) co_return outcome(State::given_back, "");
  if (!before) {
    if (core::is_temporary(before.error())) {
      progress_.header("waiting for the database: " + before.error().what);
      co_return std::nullopt;
    }
    co_return outcome(State::failed, core::describe(before.error()));
  }
  if (before->room) before->holdings = std::move(*counted);
  if (!before->room) {
    slot.reset();
    // Ours from before a stop, or somebody else's: the room is gone either way and nothing is asked for.
    const bool deleted = before->task_status == "complete";
    if (!deleted && !settling) co_return outcome(State::kept, "it was gone already");
    if (!settling) item.rows = 0;
    Waited waited;
    waited.end = End::deleted;
    co_return co_await ended(std::move(item), std::move(*before), std::move(waited), started);
  }
  if (before->task_status == "scheduled" || before->task_status == "active") {
    auto waited = co_await wait_for(item.target, before->task);
    slot.reset();
    co_return co_await ended(std::move(item), std::move(*before), std::move(waited), started);
  }
  if (settling) co_return outcome(State::given_back, "");
  if (const auto reason = kept_for(*before->room, watch_->choice())) co_return outcome(State::kept, kept_text(*reason));
  co_return co_await ask_and_wait(std::move(item), std::move(*before), std::move(slot));
}

awaitable<std::optional<ItemOutcome>> RoomDeletion::ask_and_wait(db::ItemRow item, Before before, Slot slot) {
  const auto started = std::chrono::steady_clock::now();
  const synapse::AdminClient::DeleteRequest request;  // purge, no block, no force: a room somebody sits in is not emptied
  auto task = co_await context_.admin().delete_room(core::RoomId(item.target), request);
  Waited waited;
  if (task) {
    waited = co_await wait_for(item.target, std::move(*task));
  } else if (task.error().code == core::Code::unavailable) {
    progress_.header("waiting for Synapse: " + task.error().what);
    co_return std::nullopt;
  } else {
    waited = co_await look_up(item.target, before.task);
    const bool answered = task.error().code != core::Code::timeout && task.error().code != core::Code::in_doubt;
    if (waited.end == End::unknown && answered) {
      waited.end = End::failed;  // an answer came, and it was no
      waited.text = core::describe(task.error());
    }
    // It stands in no table, so it did not begin (Synapse died with the request). Should it begin late after all, Synapse
    // refuses the second request for the same room (PaginationHandler.start_shutdown_and_purge_room: "Purge already in progress").
    if (waited.end == End::unknown && !progress_.stopping() && ++lost_requests_[item.target] < most_lost_requests) co_return std::nullopt;
  }
  slot.reset();  // Synapse is free for the next room
  co_return co_await ended(std::move(item), std::move(before), std::move(waited), started);
}

// The task's row in the database costs Synapse nothing; the API is asked where that fails.
awaitable<RoomDeletion::Waited> RoomDeletion::wait_for(std::string room_id, std::string task) {
  const auto began = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause = std::clamp(usual_ * 3 / 4, shortest_poll, longest_poll);
  std::optional<std::chrono::steady_clock::time_point> stop_at;
  for (;;) {
    const bool on = co_await progress_.wait(pause);
    if (!on) {
      if (!stop_at) stop_at = std::chrono::steady_clock::now() + stop_grace;
      co_await async::sleep_for(shortest_poll);
    }
    db::Arguments arguments;
    arguments.emplace_back("room", room_id);
    arguments.emplace_back("task", task);
    auto rows = co_await work_.query(db::sql::rooms_deletion, std::move(arguments));
    Waited waited;
    if (!rows) {
      waited = co_await ask_synapse(room_id, task);
    } else {
      const db::Row& row = rows->front();
      const std::string status = row.text("status");
      const bool present = row.boolean("present");
      waited.end = End::running;
      if (status == "failed") {
        waited.end = End::failed;
        waited.text = row.text("error").empty() ? "Synapse says that the deletion failed" : row.text("error");
      } else if (status == "complete") {
        waited.end = present ? End::failed : End::deleted;
        if (present) waited.text = "Synapse calls it complete, but the room is there";
      } else if (status.empty()) {
        waited = co_await ask_synapse(room_id, task);
        if (waited.end == End::unknown && !present) waited.end = End::deleted;
      }
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    // Falls at once and rises slowly: after one huge room the small ones are not waited for as long.
    if (waited.end == End::deleted) usual_ = std::min(usual_ * 5 / 4, took);
    if (waited.end != End::running) co_return waited;
    if (stop_at && std::chrono::steady_clock::now() > *stop_at) co_return waited;
    pause = std::clamp(took / 5, shortest_poll, longest_poll);
  }
}

awaitable<RoomDeletion::Waited> RoomDeletion::ask_synapse(std::string room_id, std::string task) {
  Waited waited;
  auto statuses = co_await context_.admin().delete_status(core::RoomId(room_id));
  if (!statuses) {
    // Away: whatever it is doing, it is not ended as far as anybody knows.
    waited.end = core::is_temporary(statuses.error()) ? End::running : End::unknown;
    waited.text = core::describe(statuses.error());
    co_return waited;
  }
  for (const synapse::DeleteStatus& each : *statuses) {
    if (each.delete_id != task) continue;
    waited.end = each.status == "complete" ? End::deleted : each.status == "failed" ? End::failed : End::running;
    co_return waited;
  }
  waited.text = "Synapse knows nothing of this deletion";
  co_return waited;
}

// The answer to the request was lost or was a refusal: did a deletion begin? Looked for, never asked for again.
awaitable<RoomDeletion::Waited> RoomDeletion::look_up(std::string room_id, std::string old_task) {
  const auto until = std::chrono::steady_clock::now() + lost_answer_limit;
  Waited waited;
  waited.text = "The answer to the request was lost and Synapse knows of no deletion";
  while (std::chrono::steady_clock::now() < until) {
    db::Arguments arguments;
    arguments.emplace_back("room", room_id);
    auto rows = co_await work_.query(db::sql::rooms_last_deletion, std::move(arguments));
    if (rows) {
      const db::Row& row = rows->front();
      const std::string task = row.text("task");
      const std::string status = row.text("status");
      if (!task.empty() && (task != old_task || status == "scheduled" || status == "active"))
        co_return co_await wait_for(std::move(room_id), task);
      if (!row.boolean("present")) {
        waited.end = End::deleted;
        co_return waited;
      }
    }
    const bool on = co_await progress_.wait(std::chrono::seconds(1));
    if (!on) break;
  }
  co_return waited;
}

awaitable<ItemOutcome> RoomDeletion::ended(db::ItemRow item, Before before, Waited waited, std::chrono::steady_clock::time_point started) {
  const std::string label = item.label.empty() ? item.target : item.label;
  switch (waited.end) {
    case End::failed: co_return outcome(State::failed, core::clean_name(waited.text, 300));
    case End::unknown: co_return outcome(State::unknown, waited.text);
    case End::running:
      unfinished_.push_back(label);
      co_return outcome(State::given_back, "");
    case End::deleted: break;
  }
  auto leftovers = co_await clean_leftovers(work_, item.target, std::move(before.holdings.names));
  ItemOutcome done;
  const TableRows& rows = before.holdings.rows;
  done.rows = rows.empty() ? item.rows : sum(rows);
  done.text = write_rows(rows, leftovers ? *leftovers : TableRows());
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
  done.notice = fmt::format("{}, {}", core::plural(done.rows, "row", "rows"), core::format_duration(took));
  if (!leftovers) done.notice += ", leftovers not cleaned: " + leftovers.error().what;
  else if (!leftovers->empty()) done.notice += fmt::format(", {} cleaned", core::plural(sum(*leftovers), "leftover", "leftovers"));
  if (!leftovers) done.text += (done.text.empty() ? "" : ",") + std::string("left:not_cleaned=1");
  co_return done;
}

}  // namespace steward::commands
