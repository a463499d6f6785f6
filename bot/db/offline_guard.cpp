#include "db/offline_guard.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <mutex>

#include "async/tasks.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "db/store_outcome.hpp"
#include "sql/statements.hpp"

namespace steward::db {

using boost::asio::awaitable;
using core::Result;

namespace {

constexpr auto heartbeat = std::chrono::milliseconds(500);

std::string described(const Row& row) {
  std::string who = core::clean_name(row.text("application"), 40) + " (" + core::clean_name(row.text("role"), 40);
  if (!row.text("address").empty()) who += ", " + row.text("address");
  who += ")";
  const std::int64_t count = row.integer("sessions");
  return count == 1 ? who : who + ", " + std::to_string(count) + " sessions";
}

Result<std::vector<std::string>> others(Transaction& transaction) { return all_of(transaction.exec(sql::offline_sessions, {}), described); }

}  // namespace

awaitable<Result<std::vector<std::string>>> other_sessions(Session& session) {
  auto looking = session.transaction(others);
  co_return co_await std::move(looking);
}

core::Error refused_for(const std::vector<std::string>& sessions) {
  return {core::Code::conflict, "Somebody is connected to Synapse's database", core::join(sessions, "; "),
          "stop Synapse with all its workers, and whatever else is named here; then try again", ""};
}

struct OfflineGuard::State {
  State(boost::asio::any_io_executor io_, std::unique_ptr<Session> session_) : io(io_), session(std::move(session_)), changed(io_) {}

  boost::asio::any_io_executor io;
  std::unique_ptr<Session> session;
  async::Signal changed;
  bool taken = false, running = false;        // I/O thread
  std::optional<core::Error> failure;         // I/O thread
  std::mutex mutex;
  std::condition_variable wake;
  bool leave = false;                         // under the mutex

  void let_go() {
    const std::lock_guard lock(mutex);
    leave = true;
    wake.notify_all();
  }
};

namespace {

// On the session's thread, for as long as the lock is wanted.
Result<void> hold(Transaction& transaction, const std::shared_ptr<OfflineGuard::State>& state) {
  auto locked = transaction.exec("SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE schema_compat_version IN ACCESS EXCLUSIVE MODE");
  if (!locked) return core::fail(locked.error());
  auto connected = others(transaction);
  if (!connected) return core::fail(connected.error());
  if (!connected->empty()) return core::fail(refused_for(*connected));
  boost::asio::post(state->io, [state] {
    state->taken = true;
    state->changed.notify();
  });
  std::unique_lock lock(state->mutex);
  while (!state->wake.wait_for(lock, heartbeat, [&state] { return state->leave; })) {
    lock.unlock();
    auto alive = transaction.exec("SELECT 1");
    if (!alive) return core::fail(alive.error());
    lock.lock();
  }
  return {};
}

awaitable<void> keep(std::shared_ptr<OfflineGuard::State> state) {
  auto work = [state](Transaction& transaction) { return hold(transaction, state); };
  auto holding = state->session->transaction(std::move(work));
  auto held = co_await std::move(holding);
  if (!held) state->failure = held.error();
  if (!held && state->taken) core::log_warning("db", "the guard against a start of Synapse is lost: {}", core::describe(held.error()));
  state->taken = false;
  state->running = false;
  state->changed.notify();
}

}  // namespace

OfflineGuard::OfflineGuard(boost::asio::any_io_executor io, std::unique_ptr<Session> session)
    : state_(std::make_shared<State>(io, std::move(session))) {}

OfflineGuard::~OfflineGuard() { state_->let_go(); }

awaitable<Result<void>> OfflineGuard::take() {
  auto state = state_;
  state->leave = false;
  state->failure.reset();
  state->running = true;
  auto keeping = keep(state);
  boost::asio::co_spawn(state->io, std::move(keeping), boost::asio::detached);
  while (state->running && !state->taken) co_await state->changed.wait_regardless(std::chrono::seconds(60));
  if (state->taken) co_return Result<void>();
  if (state->failure) co_return core::fail(*state->failure);
  co_return core::fail(core::Code::cancelled, "The guard was not taken");
}

bool OfflineGuard::held() const { return state_->taken; }
int OfflineGuard::backend_pid() const { return state_->session->backend_pid(); }

awaitable<void> OfflineGuard::release() {
  auto state = state_;
  state->let_go();
  while (state->running) co_await state->changed.wait_regardless(std::chrono::seconds(60));
}

Result<void> still_held(Transaction& transaction, int guard_pid) {
  auto rows = transaction.exec(sql::offline_guard_held, {{"pid", bind(guard_pid)}});
  if (!rows) return core::fail(rows.error());
  if (rows->front().boolean("held")) return {};
  return core::fail(core::Code::unavailable, "The lock that keeps Synapse from starting is lost", "its connection to the database broke",
                    "nothing of this step was done; !resume goes on");
}

}  // namespace steward::db
