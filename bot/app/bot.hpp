// The bot put together: sessions, clients, room, dispatcher, runner, endpoint, and the order in which they start and stop.
// One life of the bot: losing the store's connection (and with it the leader lock) ends the life, and app::run starts another,
// which takes up what was under way exactly as after a crash. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "app/metrics.hpp"
#include "async/work_thread.hpp"
#include "command/dispatcher.hpp"
#include "config/config.hpp"
#include "core/error.hpp"

namespace steward::app {

class Endpoint;
class Fallback;

enum class Ending { stopped, restart, failed };

class Bot {
 public:
  // `endpoint` is null for a single line from the terminal; it, `compute` and `fallback` outlive the bot.
  Bot(boost::asio::any_io_executor io, config::Config config, async::WorkThread& compute, Fallback& fallback, Endpoint* endpoint);
  ~Bot();

  // Connects the store, takes the leader lock, opens the endpoint and the room, then works until stop(). `failed` after a
  // message in the log: another bot runs, a wrong configuration. `restart`: the store was lost.
  boost::asio::awaitable<Ending> run();
  // Asks run() to end: takes no new work, lets the running step finish, sends what waits.
  void stop();
  // What /readyz and /metrics say of this life of the bot.
  Metrics::Source metrics();
  // New configuration (SIGHUP): applies what is safe and logs what needs a restart.
  void reload(config::Config config);

  // Without endpoint and room loop: one line from the terminal, with the leader lock held.
  boost::asio::awaitable<core::Result<command::Dispatcher::TerminalResult>> run_line(command::TerminalLine line,
                                                                                     std::function<void(std::string)> print);

  struct Parts;  // private to bot.cpp

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace steward::app
