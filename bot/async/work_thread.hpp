// The one bridge between coroutines and blocking work: a named thread of its own, and on_thread() to run there.
// db gives each session one; `compute` takes CPU work over 50 ms. Everything else stays on the I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace steward::async {

class WorkThread {
 public:
  explicit WorkThread(std::string name);
  ~WorkThread();  // waits for the work under way; queued work is dropped
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  boost::asio::any_io_executor executor();
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  boost::asio::thread_pool pool_;
};

// Runs `work` on `thread` and resumes the caller on its own executor with the result (which must be default-constructible
// or movable into an optional). `work` must not throw: adapters turn exceptions into core::Error.
// Cancellation of the awaiting coroutine does not interrupt `work`; the answer is awaited all the same.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_thread(WorkThread& thread, Work work) {
  using Value = std::invoke_result_t<Work&>;
  auto caller = co_await boost::asio::this_coro::executor;
  std::optional<Value> result;
  auto start = [&result, &thread, caller, &work](auto handler) {
    boost::asio::post(thread.executor(), [&result, caller, &work, handler = std::move(handler)]() mutable {
      result.emplace(work());
      boost::asio::post(caller, std::move(handler));
    });
  };
  auto operation = boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(std::move(start),
                                                                                          boost::asio::use_awaitable);
  co_await std::move(operation);
  co_return std::move(*result);
}

}  // namespace steward::async
