// A Transport that answers from a script and remembers what it was asked. For unit tests of matrix and synapse.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "http/transport.hpp"

namespace steward::test {

class ScriptedTransport final : public http::Transport {
 public:
  ScriptedTransport() = default;
  ScriptedTransport(const ScriptedTransport&) = delete;
  ScriptedTransport& operator=(const ScriptedTransport&) = delete;
  ~ScriptedTransport() override { EXPECT_TRUE(script_.empty()) << script_.size() << " answers were never asked for"; }

  // The next answers, in order.
  void answer(unsigned status, std::string body, http::Headers headers = {}) {
    http::Response response;
    response.status = status;
    response.headers = std::move(headers);
    response.body = std::move(body);
    script_.emplace_back(std::move(response));
  }
  void fail(core::Code code) {
    script_.emplace_back(core::fail(code, "The scripted connection failed", "by the script"));
  }

  boost::asio::awaitable<core::Result<http::Response>> send(http::Request request, http::CallOptions options) override {
    requests.push_back(std::move(request));
    deadlines.push_back(options.deadline);
    repeats.push_back(options.repeat_on_dead_connection);
    if (script_.empty()) {
      ADD_FAILURE() << "an unexpected request: " << requests.back().method << " " << requests.back().target;
      co_return core::fail(core::Code::internal, "The script is over");
    }
    core::Result<http::Response> next = std::move(script_.front());
    script_.pop_front();
    co_return next;
  }

  const http::Request& last() const { return requests.back(); }
  std::string last_header(std::string_view name) const {
    for (const auto& [key, value] : last().headers) {
      if (key == name) return value;
    }
    return {};
  }

  std::vector<http::Request> requests;
  std::vector<std::chrono::milliseconds> deadlines;
  std::vector<bool> repeats;

 private:
  std::deque<core::Result<http::Response>> script_;
};

}  // namespace steward::test
