// The bot's side of steward-host's socket: one request, its lines as they come, its ending. Used by commands. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "host/request.hpp"

namespace steward::host {

struct Reply {
  Ending ending;
  std::vector<std::string> lines;
  // Of lines "name=value"; empty: not said.
  std::string value(const std::string& name) const;
  std::vector<std::string> values(const std::string& name) const;
};

class Client {
 public:
  Client(boost::asio::any_io_executor io, std::string socket) : io_(io), socket_(std::move(socket)) {}
  bool configured() const { return !socket_.empty(); }

  using OnLine = std::function<boost::asio::awaitable<void>(std::string line)>;
  // not_found: `host.socket` is not set. unavailable: nobody listens, or we are not the account that may ask. in_doubt: it went away
  // before the end; what it does it ends all the same, `state` tells.
  boost::asio::awaitable<core::Result<Reply>> ask(Request request, OnLine on_line = {});

 private:
  boost::asio::any_io_executor io_;
  std::string socket_;
};

}  // namespace steward::host
