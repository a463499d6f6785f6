#include "command/job_guard.hpp"

#include <fmt/format.h>

#include "command/verification.hpp"
#include "core/log.hpp"
#include "db/guard.hpp"
#include "sql/statements.hpp"

namespace steward::command {

using boost::asio::awaitable;

namespace {
constexpr auto live_message_limit = std::chrono::seconds(15);
}

JobGuard::JobGuard(Services& services, Dispatcher& dispatcher) : services_(services), dispatcher_(dispatcher) {}

awaitable<core::Result<void>> JobGuard::start(db::JobRow job, jobs::Plan plan) {
  const std::int64_t number = job.number;
  if (!plan.needs_synapse) {
    auto right = co_await verify_stopped_database(services_);
    if (!right) co_return core::fail(right.error());
    co_return co_await make_ready(std::move(plan));
  }
  const bool in_room = !services_.admin_room().empty();
  if (in_room) co_await dispatcher_.show_job(std::move(job), "starting", "", /*state_changed=*/true);
  // While Synapse takes the message; nothing is acted on before the proof.
  auto ready = co_await make_ready(std::move(plan));
  if (in_room) {
    auto event = co_await dispatcher_.live_event(number, live_message_limit);
    if (!event) co_return core::fail(event.error());
    auto right = co_await verify_database(*event, services_);
    if (!right) co_return core::fail(right.error());
  }
  co_return ready;
}

awaitable<core::Result<void>> JobGuard::make_ready(jobs::Plan plan) {
  if (!services_.plan || !plan.changes_data) co_return core::Result<void>();
  auto schema = co_await db::schema_state(*services_.plan);
  if (!schema) co_return core::fail(schema.error());
  if (plan.level >= static_cast<int>(Level::deletes)) {
    std::erase(schema->background_updates, plan.own_update);
    auto allowed = db::allows_destruction(*schema);
    if (!allowed) co_return core::fail(allowed.error());
  }
  auto backups = co_await db::running_backups(*services_.plan);
  if (!backups) co_return core::fail(backups.error());
  if (!backups->empty())
    co_return core::fail(core::Code::unavailable, fmt::format("a {} runs (pid {})", backups->front().kind, backups->front().pid),
                         "heavy jobs wait for backups");
  if (!plan.needs_writer) co_return core::Result<void>();
  if (!services_.work) co_return core::fail(core::Code::unavailable, "There is no connection to Synapse's database");
  if (services_.work->behind_pooler())
    co_return core::fail(core::Code::conflict, "The connection goes through a transaction-pooling proxy",
                         "settings and locks would leak into other clients", "point `database.synapse` at PostgreSQL itself");
  co_return co_await db::take_writer(*services_.work);
}

awaitable<core::Result<void>> JobGuard::may_run(db::JobRow job, jobs::Plan plan, bool starting) {
  if (starting) co_return co_await start(std::move(job), std::move(plan));
  if (!plan.needs_writer || !services_.work) co_return core::Result<void>();
  // Asked from the control session first: the work session may be in one long statement, and the heartbeat and the live
  // message must not wait for its end.
  if (services_.control && services_.work->backend_pid() != 0) {
    db::Arguments process;
    process.emplace_back("pid", db::bind(services_.work->backend_pid()));
    auto seen = co_await services_.control->query(db::sql::journal_writer_held, std::move(process));
    if (!seen && core::is_temporary(seen.error())) co_return core::fail(seen.error());
    if (seen && seen->front().boolean("held")) co_return core::Result<void>();
  }
  auto held = co_await db::holds_writer(*services_.work);
  if (held && *held) co_return core::Result<void>();
  if (!held && held.error().code != core::Code::unavailable) co_return core::fail(held.error());
  if (!held) {
    // The connection broke and the lock went with it. Until it is ours again the work session refuses everything.
    auto again = co_await db::take_writer(*services_.work);
    if (again) core::log_info("jobs", "job {}: the connection came back, the writer lock is taken again", job.number);
    co_return again;
  }
  co_return core::fail(core::Code::conflict, "The writer lock is lost", "the connection to the database was replaced", "!resume goes on");
}

awaitable<void> JobGuard::release(jobs::Plan plan) {
  if (!plan.needs_writer || !services_.work) co_return;
  auto released = co_await db::release_writer(*services_.work);
  if (!released) core::log_warning("jobs", "the writer lock was not released: {}", core::describe(released.error()));
}

awaitable<void> JobGuard::cancel_statement() {
  if (!services_.control || !services_.work || services_.work->backend_pid() == 0) co_return;
  auto cancelled = co_await db::cancel_backend(*services_.control, services_.work->backend_pid());
  if (!cancelled) core::log_warning("jobs", "the running statement was not cancelled: {}", core::describe(cancelled.error()));
}

}  // namespace steward::command
