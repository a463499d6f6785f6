// The door that Synapse knocks at: opened once for all lives of the bot, so that a lost store means a 503 and not a closed port.
// Who is alive receives the events; when nobody is, they are refused and Synapse sends them again. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "async/work_thread.hpp"
#include "config/config.hpp"
#include "core/error.hpp"
#include "http/server.hpp"
#include "matrix/appservice.hpp"

namespace steward::app {

class Endpoint {
 public:
  using Receiver = std::function<boost::asio::awaitable<core::Result<void>>(std::vector<matrix::Event> events)>;

  // `compute` parses large transactions.
  Endpoint(boost::asio::any_io_executor io, const config::Config& config, async::WorkThread& compute);

  // Whether the port was free. A taken one is told only after the leader lock: another bot is the likelier reason.
  const core::Result<void>& listening() const { return listening_; }
  // `wanted`: the events the receiver cares for; transactions without one are acknowledged here.
  void receive_with(Receiver receiver, matrix::Appservice::Wanted wanted);
  void receive_nothing();  // all events are refused
  const matrix::Appservice& appservice() const { return appservice_; }
  std::uint16_t port() const { return server_ ? server_->port() : 0; }
  boost::asio::awaitable<void> stop();

 private:
  boost::asio::awaitable<core::Result<void>> receive(std::vector<matrix::Event> events);

  Receiver receiver_;
  matrix::Appservice appservice_;
  std::unique_ptr<http::Server> server_;
  core::Result<void> listening_;
};

}  // namespace steward::app
