#include "jobs/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"

namespace steward::jobs {

using boost::asio::awaitable;

std::string_view name(StopReason reason) {
  switch (reason) {
    case StopReason::none: return "none";
    case StopReason::cancelled: return "cancelled";
    case StopReason::paused: return "paused";
    case StopReason::frozen: return "frozen";
    case StopReason::shutdown: return "interrupted";
    case StopReason::lock_lost: return "lock lost";
  }
  return "unknown";
}

namespace {

std::string_view journal_word(ItemOutcome::State state) {
  switch (state) {
    case ItemOutcome::State::done: return "done";
    case ItemOutcome::State::kept: return "kept";
    case ItemOutcome::State::failed: return "failed";
    case ItemOutcome::State::unknown: return "unknown";
    case ItemOutcome::State::given_back: return "planned";
  }
  return "unknown";
}

constexpr int page_size = 500;

}  // namespace

ItemOutcome outcome(ItemOutcome::State state, std::string text) {
  ItemOutcome made;
  made.state = state;
  made.text = std::move(text);
  return made;
}

Progress::Progress(boost::asio::any_io_executor io, std::int64_t job, db::JobStore& store, Hooks hooks)
    : io_(io), job_(job), store_(store), hooks_(std::move(hooks)), wake_(io) {}

void Progress::request_stop(StopReason reason) {
  if (stop_reason_ == StopReason::none) stop_reason_ = reason;
  wake_.notify();
}

awaitable<bool> Progress::wait(std::chrono::milliseconds duration) {
  const auto until = std::chrono::steady_clock::now() + duration;
  while (!stopping()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left <= std::chrono::milliseconds::zero()) co_return true;
    co_await wake_.wait(left);
  }
  co_return false;
}

void Progress::show_notice(std::string line) {
  last_notice_ = std::move(line);
  if (hooks_.show) hooks_.show(header_, last_notice_);
}

awaitable<void> Progress::notice(std::string line) {
  show_notice("NOTICE " + std::move(line));
  std::string stored = last_notice_;
  if (hooks_.log) co_await hooks_.log(std::move(stored));
}

void Progress::header(std::string text) {
  header_ = std::move(text);
  if (hooks_.show) hooks_.show(header_, last_notice_);
}

void Progress::show_counts(const std::string& unit) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
  std::string text = fmt::format("{}/{} {}", core::format_count(finished_), core::format_count(total_), unit);
  if (total_ > 0) text += fmt::format(" · {} %", finished_ * 100 / total_);
  // A forecast only after a tenth of the work or ten seconds, before that it jumps.
  if (finished_ > 0 && finished_ < total_ && (elapsed > std::chrono::seconds(10) || finished_ * 10 > total_))
    text += fmt::format(" · {} left", core::format_duration(elapsed * (total_ - finished_) / finished_));
  header(std::move(text));
}

awaitable<core::Result<void>> Progress::act_on(db::ItemRow item, const Act& act) {
  auto written = co_await store_.item_acting(item.job, item.position);
  if (!written) co_return core::fail(written.error());
  const std::string label = item.label.empty() ? item.target : item.label;
  const std::int64_t job = item.job;
  const int position = item.position;
  ItemOutcome outcome = co_await act(std::move(item));
  std::string line;
  if (outcome.state != ItemOutcome::State::given_back) {
    std::string ending = outcome.notice.empty() ? outcome.text : outcome.notice;
    if (ending.empty()) ending = journal_word(outcome.state);
    line = fmt::format("NOTICE {}/{} {}: {}", ++finished_, total_, label, ending);
  }
  std::string word(journal_word(outcome.state));
  auto finished = co_await store_.item_finished(job, position, std::move(word), outcome.text, outcome.bytes.count, outcome.rows, line);
  if (!finished) co_return core::fail(finished.error());
  if (!line.empty()) show_notice(std::move(line));
  co_return core::Result<void>();
}

awaitable<core::Result<db::ItemTotals>> Progress::for_each_item(std::string unit, int at_a_time, Act act, Act settle) {
  auto totals = co_await store_.totals(job_);
  if (!totals) co_return core::fail(totals.error());
  finished_ = totals->done + totals->kept + totals->failed + totals->unknown;
  total_ = finished_ + totals->planned + totals->acting;
  show_counts(unit);

  // Everything the workers share; the coroutine outlives them, because it waits for all of them.
  struct Shared {
    std::vector<db::ItemRow> queue;
    std::optional<core::Error> error;
  } shared;

  const std::vector<std::string> acting{"acting"};
  auto unsettled = co_await store_.items(job_, acting, 1000);
  if (!unsettled) co_return core::fail(unsettled.error());
  for (db::ItemRow& item : *unsettled) {
    if (stopping()) break;
    auto settled = co_await act_on(std::move(item), settle);
    if (!settled) co_return core::fail(settled.error());
    show_counts(unit);
  }

  const std::vector<std::string> open{"planned"};
  while (!stopping() && !shared.error) {
    auto page = co_await store_.items(job_, open, page_size);
    if (!page) co_return core::fail(page.error());
    if (page->empty()) break;
    const std::int64_t finished_before = finished_;
    shared.queue = std::move(*page);
    std::reverse(shared.queue.begin(), shared.queue.end());  // taken from the back, so oldest position first
    auto worker = [this, &shared, &act, &unit]() -> awaitable<void> {
      while (!shared.queue.empty() && !stopping() && !shared.error) {
        db::ItemRow item = std::move(shared.queue.back());
        shared.queue.pop_back();
        auto done = co_await act_on(std::move(item), act);
        if (!done) shared.error = done.error();
        show_counts(unit);
      }
    };
    async::TaskGroup workers(io_, [&shared](const std::string&, const std::string&) {
      if (!shared.error)
        shared.error = core::Error{core::Code::internal, "A step of the job ended unexpectedly", "a bug in the command", {}, {}};
    });
    for (int count = 0; count < std::max(1, at_a_time); ++count) workers.spawn("item", worker);
    for (bool ended = false; !ended;) {
      ended = co_await workers.join(std::chrono::seconds(1));
      const bool cut_off = co_await async::is_cancelled();
      if (cut_off) workers.cancel_all();
    }
    // Items that were given back stay planned; a page that moved nothing would come again for ever.
    if (finished_ == finished_before) break;
  }
  if (shared.error) co_return core::fail(*shared.error);
  co_return co_await store_.totals(job_);
}

}  // namespace steward::jobs
