// run(coroutine): drives an io_context until the coroutine ended and gives its result. Used by all C++ tests.
// Name the coroutine (and every lambda and aggregate it is given) first, then pass it: g++ 12 miscompiles the short form.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace steward::test {

inline constexpr std::chrono::seconds longest_test_step(60);

// On `io`, where the objects under test live. Throws what the coroutine throws, and runtime_error after `timeout`.
template <class T>
T run(boost::asio::io_context& io, boost::asio::awaitable<T> coroutine,
      std::chrono::milliseconds timeout = longest_test_step) {
  using Kept = std::conditional_t<std::is_void_v<T>, bool, T>;
  std::optional<Kept> value;
  std::exception_ptr failure;
  bool ended = false;
  auto on_end = [&](std::exception_ptr exception, auto&&... result) {
    failure = std::move(exception);
    if constexpr (sizeof...(result) > 0) {
      if (!failure) value.emplace(std::forward<decltype(result)>(result)...);
    }
    ended = true;
    io.stop();
  };
  io.restart();
  boost::asio::co_spawn(io, std::move(coroutine), on_end);
  io.run_for(timeout);
  if (!ended) throw std::runtime_error("run(): the coroutine did not end in time");
  if (failure) std::rethrow_exception(failure);
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

// For coroutines that need no objects of a longer life.
template <class T>
T run(boost::asio::awaitable<T> coroutine, std::chrono::milliseconds timeout = longest_test_step) {
  boost::asio::io_context io(1);
  return run(io, std::move(coroutine), timeout);
}

}  // namespace steward::test
