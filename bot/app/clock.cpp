#include "app/clock.hpp"

#include <time.h>

#include <string>

namespace steward::app {

namespace {

std::optional<std::chrono::sys_seconds> moment_of(const std::string& date) {
  tm parts{};
  const char* end = ::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace

boost::asio::awaitable<std::optional<std::chrono::seconds>> clock_skew(http::Client& homeserver) {
  http::Request request;
  request.target = "/_matrix/client/versions";
  http::CallOptions options;
  const auto answer = co_await homeserver.send(std::move(request), options);
  if (!answer) co_return std::nullopt;
  const auto there = moment_of(std::string(answer->header("date")));
  if (!there) co_return std::nullopt;
  co_return std::chrono::abs(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) - *there);
}

}  // namespace steward::app
