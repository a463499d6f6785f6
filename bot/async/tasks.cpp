#include "async/tasks.hpp"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <list>
#include <vector>

#include "core/log.hpp"

namespace steward::async {

namespace asio = boost::asio;
namespace this_coro = boost::asio::this_coro;
using std::chrono::milliseconds;

namespace {

// milliseconds::max() added to now would overflow into the past.
constexpr milliseconds longest_wait = std::chrono::hours(24 * 365);

milliseconds bounded(milliseconds duration) { return std::clamp(duration, milliseconds(0), longest_wait); }

// What comes after it runs behind everything that is ready now, also in a cancelled coroutine.
asio::awaitable<void> let_others_run() {
  auto executor = co_await this_coro::executor;
  constexpr asio::cancellation_slot none;
  co_await asio::post(executor, asio::bind_cancellation_slot(none, asio::use_awaitable));
}

}  // namespace

asio::awaitable<bool> sleep_for(milliseconds duration) {
  auto cancellation = co_await this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    co_await let_others_run();
    co_return false;
  }
  auto executor = co_await this_coro::executor;
  asio::steady_timer timer(executor, bounded(duration));
  boost::system::error_code error;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

asio::awaitable<bool> is_cancelled() {
  auto state = co_await this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

struct Signal::State {
  struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    bool notified = false;
  };

  explicit State(asio::any_io_executor the_executor) : executor(std::move(the_executor)) {}

  std::shared_ptr<Waiter> enter(milliseconds timeout) {
    auto waiter = std::make_shared<Waiter>(executor);
    waiter->timer.expires_after(bounded(timeout));
    waiters.push_back(waiter);
    return waiter;
  }

  asio::any_io_executor executor;
  std::list<std::shared_ptr<Waiter>> waiters;
  bool remembered = false;
};

Signal::Signal(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

Signal::~Signal() = default;

void Signal::notify() {
  if (state_->waiters.empty()) {
    state_->remembered = true;
    return;
  }
  for (const auto& waiter : state_->waiters) {
    waiter->notified = true;
    waiter->timer.cancel();
  }
  state_->waiters.clear();  // who is awake already must not swallow the next notify()
}

asio::awaitable<bool> Signal::wait(milliseconds timeout) {
  auto state = state_;  // the Signal may go while somebody waits
  if (std::exchange(state->remembered, false)) co_return true;
  auto cancellation = co_await this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    co_await let_others_run();
    co_return false;
  }
  auto waiter = state->enter(timeout);
  boost::system::error_code error;
  co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  state->waiters.remove(waiter);
  co_return waiter->notified;
}

asio::awaitable<bool> Signal::wait_regardless(milliseconds timeout) {
  auto state = state_;
  if (std::exchange(state->remembered, false)) co_return true;
  auto waiter = state->enter(timeout);
  boost::system::error_code error;
  constexpr asio::cancellation_slot none;
  co_await waiter->timer.async_wait(asio::bind_cancellation_slot(none, asio::redirect_error(asio::use_awaitable, error)));
  state->waiters.remove(waiter);
  co_return waiter->notified;
}

struct Slots::State {
  State(asio::any_io_executor executor, int count) : freed(std::move(executor)), free(count) {}
  Signal freed;
  int free;
};

Slots::Slots(asio::any_io_executor executor, int count) : state_(std::make_shared<State>(std::move(executor), count)) {}

asio::awaitable<std::shared_ptr<void>> Slots::take() {
  auto state = state_;
  while (state->free == 0) {
    co_await state->freed.wait(longest_wait);
    const bool cancelled = co_await is_cancelled();
    if (cancelled) co_return nullptr;
  }
  --state->free;
  auto give_back = [state](void*) {
    ++state->free;
    state->freed.notify();
  };
  co_return std::shared_ptr<void>(state.get(), std::move(give_back));
}

struct TaskGroup::State {
  struct Child {
    std::string name;
    Task task;  // kept here: a coroutine made by a lambda uses the lambda's captures until its end
    asio::cancellation_signal cancellation;
    bool cancel_requested = false;
  };

  State(asio::any_io_executor the_executor, std::function<void(std::string, std::string)> failure)
      : executor(std::move(the_executor)), on_failure(std::move(failure)), child_ended(executor) {}

  asio::any_io_executor executor;
  std::function<void(std::string, std::string)> on_failure;
  std::list<std::shared_ptr<Child>> children;
  Signal child_ended;

  static asio::awaitable<void> run(std::shared_ptr<Child> child) {
    // A cancelled child must still be able to write its journal: operations answer "cancelled", nothing throws.
    co_await this_coro::throw_if_cancelled(false);
    co_await child->task();
  }

  void ended(const std::shared_ptr<Child>& child, const std::exception_ptr& failure) {
    children.remove(child);
    child_ended.notify();
    if (failure) report(*child, failure);
  }

  void report(const Child& child, const std::exception_ptr& failure) {
    std::string what = "unknown exception";
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
      if (child.cancel_requested && error.code() == asio::error::operation_aborted) return;
      what = error.what();
    } catch (const std::exception& error) {
      what = error.what();
    } catch (...) {
    }
    core::log_error("async", "task={} ended by an exception: {}", child.name, what);
    if (on_failure) on_failure(child.name, what);
  }
};

TaskGroup::TaskGroup(asio::any_io_executor executor, std::function<void(std::string name, std::string what)> on_failure)
    : state_(std::make_shared<State>(std::move(executor), std::move(on_failure))) {}

TaskGroup::~TaskGroup() {
  state_->on_failure = nullptr;
  cancel_all();
}

void TaskGroup::spawn(std::string name, Task task) {
  auto child = std::make_shared<State::Child>();
  child->name = std::move(name);
  child->task = std::move(task);
  state_->children.push_back(child);
  auto ended = [state = state_, child](const std::exception_ptr& failure) { state->ended(child, failure); };
  asio::co_spawn(state_->executor, State::run(child),
                 asio::bind_cancellation_slot(child->cancellation.slot(), std::move(ended)));
}

void TaskGroup::cancel_all() {
  const std::vector<std::shared_ptr<State::Child>> children(state_->children.begin(), state_->children.end());
  for (const auto& child : children) {
    child->cancel_requested = true;
    child->cancellation.emit(asio::cancellation_type::terminal);
  }
}

asio::awaitable<bool> TaskGroup::join(milliseconds grace) {
  auto state = state_;
  const auto end = std::chrono::steady_clock::now() + bounded(grace);
  while (!state->children.empty()) {
    const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
    if (left <= milliseconds(0)) co_return false;
    co_await state->child_ended.wait_regardless(left);
  }
  co_return true;
}

std::size_t TaskGroup::running() const { return state_->children.size(); }

}  // namespace steward::async
