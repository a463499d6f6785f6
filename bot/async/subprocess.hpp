// Another program as a step of the bot's work: exact arguments, no shell, only the given environment, its output line by line,
// an end to its time. Used by commands that need a client program of PostgreSQL and, later, by host actions. I/O thread; not for
// programs that fork daemons.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace steward::async {

struct Subprocess {
  std::string program;                 // a path, not searched for
  std::vector<std::string> arguments;  // after the program's name; never a secret: everybody on the host can read them
  std::vector<std::pair<std::string, std::string>> environment;  // all of it; secrets belong here
  std::string input = {};              // what it reads, at most 60 kB; then the end
  std::chrono::milliseconds limit = std::chrono::hours(12);
  std::chrono::milliseconds grace = std::chrono::seconds(20);    // from the interrupt to the kill
  std::function<void(std::string line)> on_line;                 // of output and error output alike; a line is cut at 4 kB
  std::function<bool()> stop;                                    // asked five times a second; true interrupts the program
};

struct SubprocessEnd {
  int exit_code = -1;  // -1: ended by a signal
  bool stopped = false, timed_out = false;
};

// Runs it to its end. It gets SIGINT when it is to stop, when its time is over, when the awaiting coroutine is cancelled and when
// the bot dies; SIGKILL when it does not follow. not_found or not_allowed: the program cannot be started.
boost::asio::awaitable<core::Result<SubprocessEnd>> run(boost::asio::any_io_executor io, Subprocess subprocess);

}  // namespace steward::async
