// The local socket between `steward exec` and the running bot: mode 0600, one line in, the conversation out.
// Frames: the client sends "<0, plus 1 for yes, plus 2 for data> <line>\n"; the bot sends "T <bytes>\n<text>" for each piece of text, at last
// "E <exit code> <bytes>\n<json>". Server part on the I/O thread; the client part makes its own loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "command/terminal_line.hpp"
#include "core/error.hpp"

namespace steward::app {

struct LineResult {
  int exit_code = 0;
  std::string json;
};
using RunLine = std::function<boost::asio::awaitable<LineResult>(command::TerminalLine line, std::function<void(std::string)> print)>;

class ControlSocket {
 public:
  // Replaces a socket file that nobody listens on. conflict when somebody does; not_allowed when the folder cannot be written.
  static core::Result<std::unique_ptr<ControlSocket>> listen(boost::asio::any_io_executor io, std::string path, RunLine run_line);
  ~ControlSocket();
  boost::asio::awaitable<void> run();  // until cancelled

 private:
  struct State;
  explicit ControlSocket(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// Hands `line` to the bot behind `path`, printing as the text comes. nullopt: nobody listens there.
std::optional<LineResult> send_line(const std::string& path, const command::TerminalLine& line, std::function<void(std::string)> print);

}  // namespace steward::app
