// The socket of the second program: one account may connect, one line is a request, one request works at a time. What it began it
// ends, whoever goes away meanwhile; when the window is over it starts Synapse by itself. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

#include "core/error.hpp"
#include "host/settings.hpp"

namespace steward::host {

class Server {
 public:
  // Replaces a socket file that nobody listens on; the file belongs to the allowed account, mode 0600.
  static core::Result<std::unique_ptr<Server>> listen(boost::asio::any_io_executor io, Settings settings);
  ~Server();
  boost::asio::awaitable<void> run();  // until stop()
  // Takes no new request. True when nothing is under way.
  bool stop();

  struct State;  // private to server.cpp

 private:
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace steward::host
