// Deadlines, sleeping, waking and groups of coroutines on the I/O thread. Used by every layer above.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"

namespace steward::async {

// Suspends for that long; returns false when the coroutine was cancelled meanwhile (it does not throw). Also a cancelled
// coroutine lets the others run once, so that a loop which forgets to ask cannot hold up the thread.
boost::asio::awaitable<bool> sleep_for(std::chrono::milliseconds duration);

// True once the awaiting coroutine was cancelled: endless loops ask, because in a TaskGroup nothing throws on cancellation.
boost::asio::awaitable<bool> is_cancelled();

// A latch that coroutines of one thread wait on: notify() wakes all waiters; a notify() without waiters is remembered
// once, so that a wake between a check and a wait is not lost.
class Signal {
 public:
  explicit Signal(boost::asio::any_io_executor executor);
  ~Signal();
  void notify();
  // True when notified, false after `timeout` or on cancellation (which lets the others run once, like sleep_for).
  boost::asio::awaitable<bool> wait(std::chrono::milliseconds timeout);
  // The same for a coroutine that must not leave before its helpers did: cancellation does not end it.
  boost::asio::awaitable<bool> wait_regardless(std::chrono::milliseconds timeout);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// So many at once: coroutines of one thread that share something scarce.
class Slots {
 public:
  Slots(boost::asio::any_io_executor executor, int count);
  // Waits for a free one; it is free again when the last copy of the pointer goes. Null when the coroutine was cancelled.
  boost::asio::awaitable<std::shared_ptr<void>> take();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Coroutines that live and end together. In a cancelled child nothing throws: sleep_for() and Signal::wait() give false,
// http calls give Code::cancelled, on_thread() still works (a journal must be written also on the way out), so a child must
// look at these answers and end. Destroying the group cancels the children but does not wait for them. An exception that leaves a child is logged with the child's name and given to
// on_failure (the app stops then): a layer never dies silently.
class TaskGroup {
 public:
  using Task = std::function<boost::asio::awaitable<void>()>;
  TaskGroup(boost::asio::any_io_executor executor, std::function<void(std::string name, std::string what)> on_failure);
  ~TaskGroup();

  void spawn(std::string name, Task task);
  void cancel_all();
  // Waits until all children ended, at most `grace`; false when some did not. Cancelling who waits does not shorten it.
  boost::asio::awaitable<bool> join(std::chrono::milliseconds grace);
  std::size_t running() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace steward::async
