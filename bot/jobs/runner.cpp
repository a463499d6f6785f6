#include "jobs/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "core/log.hpp"

namespace steward::jobs {

using boost::asio::awaitable;

namespace {
constexpr auto watch_step = std::chrono::milliseconds(100);
constexpr int steps_per_show = 10;
constexpr int steps_per_heartbeat = 50;  // five seconds
constexpr auto resume_limit = std::chrono::minutes(10);
constexpr auto poll_interval = std::chrono::seconds(10);
constexpr auto retry_start_after = std::chrono::seconds(10);
}  // namespace

struct Runner::State {
  State(boost::asio::any_io_executor io_, db::JobStore& store_, Hooks hooks_)
      : io(io_), store(store_), hooks(std::move(hooks_)), wake(io_), job_over(io_), watch_ended(io_) {}

  boost::asio::any_io_executor io;
  db::JobStore& store;
  Hooks hooks;
  async::Signal wake, job_over, watch_ended;
  bool stopping = false;
  bool frozen = false;

  // The job under way.
  std::optional<db::JobRow> job;
  std::vector<std::string> locks;
  std::unique_ptr<Progress> progress;
  std::string header, notice;
  bool shown_change = false;
  bool watched = false;  // watch() is alive; the job ends after it
  bool started = false;  // may_run allowed the start: the locks are held
};

Runner::Runner(boost::asio::any_io_executor io, db::JobStore& store, Hooks hooks)
    : state_(std::make_shared<State>(io, store, std::move(hooks))) {}
Runner::~Runner() = default;

void Runner::wake() { state_->wake.notify(); }

void Runner::stop() {
  state_->stopping = true;
  if (state_->progress) state_->progress->request_stop(StopReason::shutdown);
  state_->wake.notify();
}

bool Runner::frozen() const { return state_->frozen; }

void Runner::thaw() {
  state_->frozen = false;
  state_->wake.notify();
}

std::optional<std::int64_t> Runner::running() const {
  if (state_->job) return state_->job->number;
  return std::nullopt;
}

std::string Runner::running_header() const { return state_->header; }

std::optional<std::int64_t> Runner::holder(const std::string& lock) const {
  if (state_->job && std::find(state_->locks.begin(), state_->locks.end(), lock) != state_->locks.end()) return state_->job->number;
  return std::nullopt;
}

namespace {

Receipt failure_receipt(const core::Error& error) {
  Receipt receipt{.title = error.what, .lines = {}, .complete = false};
  if (!error.why.empty()) receipt.lines.push_back("Why: " + error.why + (error.source.empty() ? "" : " (" + error.source + ")"));
  if (!error.next.empty()) receipt.lines.push_back("Next: " + error.next);
  return receipt;
}

std::string end_state(const core::Result<Receipt>& outcome, StopReason reason, const db::ItemTotals& totals) {
  const bool open = totals.planned + totals.acting > 0;
  if (!outcome) return reason == StopReason::none || reason == StopReason::lock_lost ? "failed" : "stopped";
  if (reason != StopReason::none && open) return "stopped";
  return outcome->complete && totals.failed + totals.unknown == 0 ? "done" : "failed";
}

}  // namespace

namespace {

// Keeps the heartbeat, the guard and the live message going while the command works.
awaitable<void> watch(std::shared_ptr<Runner::State> state, std::int64_t number, Plan plan) {
  while (state->job && state->job->number == number) {
    auto beaten = co_await state->store.heartbeat(number);
    if (!beaten && state->progress) {
      core::log_warning("jobs", "job {} cannot write its heartbeat: {}", number, core::describe(beaten.error()));
    }
    if (state->started && state->hooks.may_run) {
      db::JobRow job = *state->job;
      auto allowed = co_await state->hooks.may_run(std::move(job), plan, /*starting=*/false);
      if (!allowed && state->progress && !core::is_temporary(allowed.error())) {
        core::log_warning("jobs", "job {} is stopped: {}", number, core::describe(allowed.error()));
        state->progress->request_stop(StopReason::lock_lost);
      }
    }
    for (int step = 0; step < steps_per_heartbeat && state->job && state->job->number == number; ++step) {
      if (state->hooks.show && state->job && step % steps_per_show == 0) {
        db::JobRow job = *state->job;
        const bool changed = std::exchange(state->shown_change, false);
        co_await state->hooks.show(std::move(job), state->header, state->notice, changed);
      }
      co_await state->job_over.wait(watch_step);
    }
  }
  state->watched = false;
  state->watch_ended.notify();
}

awaitable<core::Result<Receipt>> carry_out(std::shared_ptr<Runner::State> state, db::JobRow job, Plan plan) {
  while (state->hooks.may_run) {
    auto allowed = co_await state->hooks.may_run(job, plan, /*starting=*/true);
    if (allowed) break;
    if (!core::is_temporary(allowed.error())) co_return core::fail(allowed.error());
    state->progress->header("waiting: " + allowed.error().what);
    const bool again = co_await state->progress->wait(retry_start_after);
    if (!again) co_return core::fail(core::Code::cancelled, "The job was stopped before it could start", allowed.error().what);
  }
  state->started = true;
  co_return co_await state->hooks.run(std::move(job), std::move(plan), *state->progress);
}

// One job from queued to its end.
awaitable<void> run_one(std::shared_ptr<Runner::State> state, db::JobRow job) {
  const std::vector<std::string> from{"queued"};
  auto moved = co_await state->store.move(job.number, from, "running", "");
  if (!moved || !*moved) co_return;
  auto plan = decode_plan(job.plan);
  if (!plan) {
    Receipt receipt = failure_receipt(plan.error());
    std::string stored = encode_receipt(receipt);
    co_await state->store.finish(job.number, "stopped", "interrupted", std::move(stored));
    Plan none;
    co_await state->hooks.ended(std::move(job), std::move(none), std::move(receipt));
    co_return;
  }
  state->job = job;
  state->locks = plan->locks;
  state->header = "starting";
  state->notice.clear();
  state->shown_change = true;
  state->started = false;
  Progress::Hooks hooks;
  hooks.show = [state](const std::string& header, const std::string& notice) {
    state->header = header;
    state->notice = notice;
  };
  hooks.log = [state, number = job.number](std::string line) -> awaitable<void> {
    auto logged = co_await state->store.log(number, std::move(line));
    if (!logged) core::log_warning("jobs", "job {}: a NOTICE line was not stored: {}", number, core::describe(logged.error()));
  };
  state->progress = std::make_unique<Progress>(state->io, job.number, state->store, std::move(hooks));
  state->watched = true;
  auto watching = watch(state, job.number, *plan);
  boost::asio::co_spawn(state->io, std::move(watching), boost::asio::detached);

  core::log_info("jobs", "job {} starts: {}", job.number, job.line);
  auto outcome = co_await carry_out(state, job, *plan);
  const StopReason reason = state->progress->stop_reason();

  auto totals = co_await state->store.totals(job.number);
  const db::ItemTotals counted = totals ? *totals : db::ItemTotals{};
  Receipt receipt = outcome ? *outcome : failure_receipt(outcome.error());
  const std::string end = end_state(outcome, reason, counted);
  if (reason != StopReason::none && end == "stopped") receipt.complete = false;
  const std::string why = reason == StopReason::none ? (end == "failed" ? "failed" : "") : std::string(name(reason));
  if (state->hooks.release) co_await state->hooks.release(*plan);
  auto ended = co_await state->store.find(job.number);
  state->job.reset();
  state->job_over.notify();
  while (state->watched) co_await state->watch_ended.wait_regardless(std::chrono::seconds(60));
  state->locks.clear();
  state->progress.reset();
  state->header.clear();
  db::JobRow last = ended && *ended ? **ended : job;
  // Stays `running` in the journal: the next start takes it up again by itself.
  const bool interrupted = reason == StopReason::shutdown && end == "stopped";
  last.state = interrupted ? "running" : end;
  last.reason = interrupted ? "interrupted" : why;
  core::log_info("jobs", "job {} {}: {}{}{}", last.number, interrupted ? "is interrupted by the shutdown" : "ended", end, why.empty() ? "" : ", ", why);
  std::string stored = encode_receipt(receipt);
  // The receipt first: a crash between the two finds the job running with nothing left to do, and its receipt is in the outbox
  // already. The other way round nobody would ever hear of the end.
  co_await state->hooks.ended(std::move(last), std::move(*plan), std::move(receipt));
  if (interrupted) co_return;
  for (int attempt = 0; attempt < 60; ++attempt) {
    auto finished = co_await state->store.finish(job.number, end, why, stored);
    if (finished || state->stopping) break;
    co_await async::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

awaitable<void> Runner::run() {
  auto state = state_;
  const std::vector<std::string> queued{"queued"};
  while (!state->stopping) {
    if (!state->frozen) {
      auto jobs = co_await state->store.in_state(queued, 1);
      if (jobs && !jobs->empty()) {
        co_await run_one(state, std::move(jobs->front()));
        continue;
      }
    }
    co_await state->wake.wait(poll_interval);
  }
}

awaitable<core::Result<std::vector<db::JobRow>>> Runner::recover(bool restored) {
  auto state = state_;
  std::vector<std::string> states{"running"};
  if (restored) states.emplace_back("queued");
  auto jobs = co_await state->store.in_state(std::move(states), 100);
  if (!jobs) co_return core::fail(jobs.error());
  std::vector<db::JobRow> resumed;
  for (db::JobRow& job : *jobs) {
    const bool fresh = job.heartbeat_ago >= std::chrono::seconds::zero() && job.heartbeat_ago <= resume_limit;
    const std::vector<std::string> from{job.state};
    const bool again = fresh && !restored;
    auto moved = co_await state->store.move(job.number, from, again ? "queued" : "stopped", again ? "" : "interrupted");
    if (!moved) co_return core::fail(moved.error());
    if (again) resumed.push_back(std::move(job));
  }
  co_return resumed;
}

awaitable<core::Result<std::string>> Runner::cancel(std::int64_t number) {
  auto state = state_;
  if (state->job && state->job->number == number) {
    state->progress->request_stop(StopReason::cancelled);
    if (state->hooks.cancel_statement) co_await state->hooks.cancel_statement();
    co_return "Stopping job " + std::to_string(number) + "; what Synapse has already begun it finishes by itself.";
  }
  const std::vector<std::string> open{"waiting", "queued", "stopped"};
  auto moved = co_await state->store.move(number, open, "void", "cancelled");
  if (!moved) co_return core::fail(moved.error());
  if (*moved) co_return "Job " + std::to_string(number) + " is cancelled; nothing of it runs any more.";
  co_return core::fail(core::Code::not_found, "Job " + std::to_string(number) + " does not run", "it has ended or never existed",
                       "!jobs shows what there is");
}

awaitable<core::Result<std::string>> Runner::pause(std::int64_t number) {
  auto state = state_;
  if (state->job && state->job->number == number) {
    state->progress->request_stop(StopReason::paused);
    if (state->hooks.cancel_statement) co_await state->hooks.cancel_statement();
    co_return "Pausing job " + std::to_string(number) + " after the step under way. !resume " + std::to_string(number) + " goes on.";
  }
  const std::vector<std::string> queued{"queued"};
  auto moved = co_await state->store.move(number, queued, "stopped", "paused");
  if (!moved) co_return core::fail(moved.error());
  if (*moved) co_return "Job " + std::to_string(number) + " is paused before its start. !resume " + std::to_string(number) + " goes on.";
  co_return core::fail(core::Code::not_found, "Job " + std::to_string(number) + " does not run", "it has ended or never existed",
                       "!jobs shows what there is");
}

awaitable<core::Result<void>> Runner::freeze() {
  auto state = state_;
  state->frozen = true;
  if (state->progress) state->progress->request_stop(StopReason::frozen);
  if (state->job && state->hooks.cancel_statement) co_await state->hooks.cancel_statement();
  co_return core::Result<void>();
}

}  // namespace steward::jobs
