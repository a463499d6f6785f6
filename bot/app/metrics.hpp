// The second door: /healthz, /readyz and /metrics for whoever watches the bot. Numbers only, no id and no name. On its own listener,
// never on Synapse's; outside the loopback it asks for a token. Lives as long as the endpoint, so that it also tells when no bot
// lives. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "core/error.hpp"
#include "http/server.hpp"

namespace steward::app {

// "steward_jobs{state=\"done\"}" and its value. Names and labels are the program's own words.
struct Sample {
  std::string name;
  double value = 0;
};

// The text of Prometheus: each family once with its type, in the order of the samples.
std::string metrics_text(const std::vector<Sample>& samples);

class Metrics {
 public:
  struct Source {
    std::function<std::string()> not_ready;  // why the bot cannot work now; empty: it can
    std::function<boost::asio::awaitable<std::vector<Sample>>()> samples;
  };

  // Does nothing where `metrics.bind` is not set.
  Metrics(boost::asio::any_io_executor io, const config::Config& config);

  const core::Result<void>& listening() const { return listening_; }
  void tell_of(Source source);
  // Between two lives of the bot: nothing of the last one is used when this returns.
  boost::asio::awaitable<void> tell_nothing();
  boost::asio::awaitable<void> stop();

 private:
  boost::asio::awaitable<http::Response> answer(http::Request request);

  core::Secret token_;
  Source source_;
  int asking_ = 0;  // answers under way that use the source
  std::unique_ptr<http::Server> server_;
  core::Result<void> listening_;
};

}  // namespace steward::app
