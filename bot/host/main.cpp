// steward-host: the second program, which may stop, start and upgrade Synapse because the service manager runs it with the rights to
// do so. It has no network but the loopback to Synapse's health check, and takes a line from one account on one Unix socket.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include "core/log.hpp"
#include "host/server.hpp"

namespace {

using namespace steward;

int complain(const core::Error& error) {
  std::fprintf(stderr, "steward-host: %s\n", core::describe(error).c_str());
  return 1;
}

int run(host::Settings settings) {
  boost::asio::io_context io(1);
  auto server = host::Server::listen(io.get_executor(), std::move(settings));
  if (!server) return complain(server.error());
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&server](boost::system::error_code error, int) {
    if (!error && !(*server)->stop()) core::log_warning("host", "something is under way; the program ends after it");
  });
  boost::asio::co_spawn(io, (*server)->run(), [&io](std::exception_ptr) { io.stop(); });
  io.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc == 3 && std::strcmp(argv[1], "--check") == 0;
  if (argc != 2 && !check) {
    std::fprintf(stderr, "usage: steward-host [--check] /etc/synapse-steward/host.yaml\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  auto settings = host::read_settings(argv[argc - 1]);
  if (!settings) return complain(settings.error());
  if (check) {
    std::printf("%s is right\n", argv[argc - 1]);
    return 0;
  }
  return run(std::move(*settings));
}
