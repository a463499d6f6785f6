#include "commands/maintenance.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "async/tasks.hpp"
#include "commands/room_deletion.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using jobs::ItemOutcome;
using State = ItemOutcome::State;

namespace {

constexpr auto watch_step = std::chrono::milliseconds(200);
constexpr int steps_per_look = 5;
constexpr auto lock_patience = std::chrono::minutes(1);
constexpr auto outage_limit = std::chrono::minutes(10);
constexpr auto longest_pause = std::chrono::seconds(8);
constexpr std::size_t shown_changes = 5;   // a card has eighteen lines
constexpr std::size_t shown_troubles = 2;
constexpr const char* lock_not_free = "55P03";

bool connection_gone(const core::Error& error) { return error.code == core::Code::unavailable || error.code == core::Code::in_doubt; }

}  // namespace

std::string change(std::int64_t before, std::int64_t after) {
  return core::format_size(core::Bytes{before}) + " → " + core::format_size(core::Bytes{after});
}

core::Result<void> check_sessions(const command::Context& context) {
  auto work = context.work();
  if (!work) return core::fail(work.error());
  if (!context.services.control) return core::fail(core::Code::unavailable, "There is no second connection to watch the work with");
  return {};
}

Maintenance::Maintenance(boost::asio::any_io_executor io, db::Session& work, db::Session& control, jobs::Progress& progress)
    : io_(std::move(io)), work_(work), control_(control), progress_(progress) {}

awaitable<core::Result<void>> Maintenance::run_unwatched(std::string sql, Limits limits) {
  // For the session, because the statement stands alone; the writer lock means that no pooler is between.
  auto setting = work_.query(fmt::format("SET lock_timeout = {}", limits.lock.count()));
  auto set = co_await std::move(setting);
  if (!set) co_return core::fail(set.error());
  auto working = work_.alone(std::move(sql), limits.statement);
  auto worked = co_await std::move(working);
  auto resetting = work_.query("RESET lock_timeout");
  auto reset = co_await std::move(resetting);
  if (!reset && !connection_gone(reset.error())) core::log_warning("space", "the lock time-out was not reset: {}", core::describe(reset.error()));
  co_return worked;
}

awaitable<core::Result<void>> Maintenance::run(std::string sql, std::string doing, Limits limits) {
  async::TaskGroup watchers(io_, [](const std::string&, const std::string&) {});  // the group logs it; the work goes on
  async::TaskGroup::Task watcher = [this, sql, doing] { return watch(sql, doing); };
  watchers.spawn("progress of a statement", std::move(watcher));
  auto working = run_unwatched(std::move(sql), limits);
  auto worked = co_await std::move(working);
  watchers.cancel_all();
  for (bool ended = false; !ended;) ended = co_await watchers.join(std::chrono::seconds(1));
  co_return worked;
}

awaitable<void> Maintenance::watch(std::string sql, std::string doing) {
  blocker_.clear();
  for (int step = 0;; ++step) {
    const bool on = co_await async::sleep_for(watch_step);
    if (!on) co_return;
    if (progress_.stopping()) {
      // Again and again: the first cancel of the runner may have come before the statement.
      db::Arguments arguments;
      arguments.emplace_back("pid", db::bind(work_.backend_pid()));
      arguments.emplace_back("statement", sql);
      auto cancelled = co_await control_.query(db::sql::space_cancel, std::move(arguments));
      if (!cancelled) core::log_warning("space", "the statement was not cancelled: {}", core::describe(cancelled.error()));
      continue;
    }
    if (step % steps_per_look == 0) co_await show(doing);
  }
}

awaitable<void> Maintenance::show(std::string doing) {
  db::Arguments arguments;
  arguments.emplace_back("pid", db::bind(work_.backend_pid()));
  auto rows = co_await control_.query(db::sql::space_progress, std::move(arguments));
  if (!rows) co_return;
  const db::Row& row = rows->front();
  std::string text = std::move(doing);
  if (!row.text("phase").empty()) text += ": " + row.text("phase");
  if (row.integer("total") > 0) text += fmt::format(" {} %", std::min<std::int64_t>(100, row.integer("done") * 100 / row.integer("total")));
  if (!row.text("waits_for").empty()) {
    blocker_ = core::clean_name(row.text("waits_for"), 120);
    text += " · waits for " + blocker_;
  }
  progress_.header(std::move(text));
}

awaitable<ItemOutcome> Maintenance::persist(db::ItemRow item, bool uncertain, Attempt attempt) {
  const auto started = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause = std::chrono::seconds(1);
  for (;;) {
    if (progress_.stopping()) co_return outcome(State::given_back, "");
    auto tried = co_await attempt(item, uncertain);
    if (tried) co_return std::move(*tried);
    if (progress_.stopping()) co_return outcome(State::given_back, "");
    const bool locked = tried.error().source == lock_not_free;
    const bool away = connection_gone(tried.error());
    if (!locked && !away) co_return outcome(State::failed, core::describe(tried.error()));
    uncertain = uncertain || away;
    const auto waited = std::chrono::steady_clock::now() - started;
    if (away && waited > outage_limit) {
      progress_.request_stop(jobs::StopReason::lock_lost);
      co_return outcome(State::given_back, "");
    }
    if (locked && waited > lock_patience)
      co_return outcome(State::failed, "its lock was not free for a minute" + (blocker_.empty() ? std::string() : ": " + blocker_ + " held it"));
    progress_.header(fmt::format("{}: {}, trying again", item.target, locked ? "its lock is taken" : "the database is away"));
    co_await progress_.wait(pause);
    pause = std::min<std::chrono::milliseconds>(pause * 2, longest_pause);
  }
}

namespace {

void add_troubles(std::vector<std::string>& lines, const char* name, const std::vector<db::ItemRow>& items) {
  for (std::size_t index = 0; index < items.size() && index < shown_troubles; ++index)
    lines.push_back(fmt::format("{}: {}: {}", name, items[index].target, items[index].error));
  if (items.size() > shown_troubles) lines.push_back(fmt::format("{}: {} more, !log has them all", name, items.size() - shown_troubles));
}

}  // namespace

awaitable<core::Result<RunResult>> run_result(db::ItemTotals totals, std::int64_t job, db::JobStore& store) {
  const std::vector<std::string> done_state{"done"}, kept_state{"kept"}, failed_states{"failed", "unknown"}, open_states{"planned", "acting"};
  auto done = co_await store.items(job, done_state, 0);
  if (!done) co_return core::fail(done.error());
  auto kept = co_await store.items(job, kept_state, 0);
  if (!kept) co_return core::fail(kept.error());
  auto failed = co_await store.items(job, failed_states, 0);
  if (!failed) co_return core::fail(failed.error());
  auto open = co_await store.items(job, open_states, 0);
  if (!open) co_return core::fail(open.error());
  RunResult result;
  result.done = totals.done;
  result.returned = totals.done_bytes;
  std::stable_sort(done->begin(), done->end(), [](const db::ItemRow& a, const db::ItemRow& b) { return a.done_bytes > b.done_bytes; });
  for (const db::ItemRow& item : *done) {
    TableRows figures, none;
    read_rows(item.error, figures, none);
    for (const auto& [name, value] : figures) result.sum[name] += value;
    result.targets.push_back(item.target);
    if (figures.contains("before") && figures["before"] != figures["after"] && result.changes.size() < shown_changes)
      result.changes.push_back(item.target + ": " + change(figures["before"], figures["after"]));
  }
  add_troubles(result.troubles, "Kept", *kept);
  add_troubles(result.troubles, "Failed", *failed);
  if (!open->empty()) {
    std::string left = fmt::format("Left: {} not done", core::format_count(static_cast<std::int64_t>(open->size())));
    if (open->size() == 1) left = "Left: " + open->front().target + ", not done";
    result.troubles.push_back(std::move(left));
  }
  result.complete = failed->empty() && open->empty();
  co_return result;
}

}  // namespace steward::commands
