#include "jobs/batches.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::jobs {

using boost::asio::awaitable;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr int tries = 5;
constexpr auto look_every = std::chrono::seconds(1);
constexpr auto calm_poll = std::chrono::seconds(1);
constexpr milliseconds least_pause(5), longest_pause(2000);
constexpr auto longest_outage_pause = std::chrono::seconds(8);

milliseconds since(steady_clock::time_point started) { return std::chrono::duration_cast<milliseconds>(steady_clock::now() - started); }

// A batch takes part of an idle server's time, a smaller one of a busy one's, and next to nothing while others wait for its locks.
int pause_for(const db::Row& load) {
  if (load.integer("blocked") > 0) return 32;
  return load.integer("active") > 0 ? 8 : 2;
}

// Why to wait now; "" for no reason.
std::string reason_to_wait(const db::Row& load, const Batches::Options& options) {
  if (!load.text("backup").empty()) return fmt::format("a {} runs", core::clean_name(load.text("backup"), 40));
  if (const auto lag = load.integer("lag_seconds"); lag > options.replication_lag.count())
    return fmt::format("a replica is {} behind", core::format_duration(std::chrono::seconds(lag)));
  if (const auto age = load.integer("oldest_seconds"); age > options.oldest_transaction.count())
    return fmt::format("a transaction of {} (pid {}) is {} old", core::clean_name(load.text("oldest_name"), 60), load.integer("oldest_pid"),
                       core::format_duration(std::chrono::seconds(age)));
  return {};
}

}  // namespace

void BatchSize::halve() { rows_ = std::max(limits_.least, rows_ / 2); }

void BatchSize::took(milliseconds duration) {
  if (duration > limits_.target) halve();
  else if (duration * 2 < limits_.target) rows_ = std::min(limits_.most, rows_ * 2);
}

Batches::Batches(db::Session& work, db::Session* watch, Progress& progress, Options options)
    : work_(work), watch_(watch), progress_(progress), options_(std::move(options)), size_(options_.size) {}

awaitable<BatchTotals> Batches::run(std::string doing, Work work, std::vector<std::string> after) {
  BatchTotals totals;
  totals.after = std::move(after);
  while (!progress_.stopping()) {
    co_await wait_for_calm(doing);
    if (progress_.stopping()) break;
    const auto started = steady_clock::now();
    auto batch = co_await try_batch(doing, work, totals.after);
    if (!batch) {
      if (!progress_.stopping()) totals.error = batch.error();
      break;
    }
    const auto taken = since(started);
    ++totals.batches;
    totals.longest = std::max(totals.longest, taken);
    totals.scanned += batch->scanned;
    totals.changed += batch->changed;
    for (const auto& [table, rows] : batch->by_table) totals.by_table[table] += rows;
    if (batch->scanned == 0) {
      totals.ended = true;
      break;
    }
    totals.after = std::move(batch->after);
    progress_.header(fmt::format("{} · {} of {} looked at", doing, core::plural(totals.changed, "row", "rows"), core::format_count(totals.scanned)));
    co_await progress_.wait(std::clamp<milliseconds>(taken * pause_quarters_ / 4, least_pause, longest_pause));
  }
  co_return totals;
}

awaitable<core::Result<Batch>> Batches::try_batch(std::string doing, const Work& work, const std::vector<std::string>& after) {
  steady_clock::time_point gone{};
  milliseconds pause = std::chrono::seconds(1);
  for (int tried = 1;;) {
    auto one = [&work, &after, size = size_.rows()](db::Transaction& transaction) { return work(transaction, after, size); };
    const auto started = steady_clock::now();
    auto running = work_.transaction(std::move(one));
    auto batch = co_await std::move(running);
    if (batch) {
      size_.took(since(started));
      co_return batch;
    }
    if (progress_.stopping()) co_return batch;
    const core::Code code = batch.error().code;
    if (code == core::Code::unavailable || code == core::Code::in_doubt) {
      // Pinned, the session stays closed until the runner's guard has the writer lock again.
      if (gone == steady_clock::time_point{}) gone = steady_clock::now();
      if (steady_clock::now() - gone > options_.outage) co_return batch;
      progress_.header(fmt::format("{}: the database is away, trying again", doing));
      co_await progress_.wait(pause);
      pause = std::min<milliseconds>(pause * 2, longest_outage_pause);
      continue;
    }
    if ((code != core::Code::timeout && code != core::Code::conflict) || tried == tries) co_return batch;
    if (code == core::Code::timeout) size_.halve();
    progress_.header(fmt::format("{}: in somebody's way, trying again", doing));
    co_await progress_.wait(milliseconds(200) * tried);
    ++tried;
  }
}

awaitable<void> Batches::wait_for_calm(std::string doing) {
  if (looked_once_ && steady_clock::now() - looked_ < look_every) co_return;
  looked_once_ = true;
  while (!progress_.stopping()) {
    looked_ = steady_clock::now();
    std::string reason;
    if (watch_) {
      db::Arguments arguments;
      arguments.emplace_back("pid", db::bind(work_.backend_pid()));
      auto rows = co_await watch_->query(db::sql::batch_load, std::move(arguments));
      if (rows) {
        pause_quarters_ = pause_for(rows->front());
        reason = reason_to_wait(rows->front(), options_);
      }
    }
    if (reason.empty() && options_.hold) reason = co_await options_.hold();
    if (reason.empty()) co_return;
    progress_.header(fmt::format("{} waits: {}", doing, reason));
    co_await progress_.wait(calm_poll);
  }
}

}  // namespace steward::jobs
