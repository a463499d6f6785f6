#include "app/app.hpp"

#include <csignal>
#include <cstdio>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/bot.hpp"
#include "app/control_socket.hpp"
#include "app/endpoint.hpp"
#include "app/fallback.hpp"
#include "app/metrics.hpp"
#include "async/tasks.hpp"
#include "config/config.hpp"
#include "core/log.hpp"
#include "core/secret.hpp"

namespace steward::app {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr int exit_stopped = 0;
constexpr int exit_failed = 1;
constexpr int exit_bad_configuration = 2;
constexpr const char* compute_thread = "compute";

void take_over(const config::Config& config) {
  core::remember_secret(config.appservice.as_token);
  core::remember_secret(config.appservice.hs_token);
  core::remember_secret(config.admin_token);
  core::remember_secret(config.database.synapse);
  core::remember_secret(config.database.reader);
  core::remember_secret(config.database.store);
  core::remember_secret(config.repack.database);
  core::remember_secret(config.metrics.token);
  for (const std::string& word : config.alerts.fallback)
    if (config::is_web_address(word)) core::remember_secret(core::Secret(word));  // who knows a webhook may write to it
  core::set_log_level(config.log_level == "debug"     ? core::LogLevel::debug
                      : config.log_level == "warning" ? core::LogLevel::warning
                      : config.log_level == "error"   ? core::LogLevel::error
                                                      : core::LogLevel::info);
}

core::Result<config::Config> load(const std::string& path) {
  auto config = config::load(path);
  if (config) take_over(*config);
  return config;
}

void complain(const core::Error& error) { std::fprintf(stderr, "steward: %s\n", core::describe(error).c_str()); }

// The lives of the bot, one after another, and the signals that reach the present one.
struct Lives {
  explicit Lives(asio::io_context& io_, std::string path) : io(io_), config_path(std::move(path)), signals(io_, SIGTERM, SIGINT, SIGHUP) {}
  asio::io_context& io;
  std::string config_path;
  asio::signal_set signals;
  std::unique_ptr<Bot> bot;
  bool stopping = false;
  int exit_code = exit_stopped;

  awaitable<void> watch_signals() {
    constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
    for (;;) {
      auto [error, signal] = co_await signals.async_wait(as_result);
      if (error) co_return;
      if (signal == SIGHUP) {
        auto fresh = load(config_path);
        if (!fresh) core::log_error("app", "reload: the old configuration stays: {}", core::describe(fresh.error()));
        else if (bot) bot->reload(std::move(*fresh));
        continue;
      }
      core::log_info("app", "stopping on signal {}", signal);
      stopping = true;
      if (bot) bot->stop();
    }
  }

  awaitable<void> live(config::Config config) {
    async::WorkThread compute(compute_thread);
    Fallback fallback(io.get_executor(), config);
    Endpoint endpoint(io.get_executor(), config, compute);
    Metrics metrics(io.get_executor(), config);
    if (!metrics.listening()) core::log_error("app", "metrics: {}", core::describe(metrics.listening().error()));
    while (!stopping) {
      bot = std::make_unique<Bot>(io.get_executor(), config, compute, fallback, &endpoint);
      metrics.tell_of(bot->metrics());
      const Ending ending = co_await bot->run();
      co_await metrics.tell_nothing();
      bot.reset();
      if (ending == Ending::failed) {
        exit_code = exit_failed;
        break;
      }
      if (ending == Ending::stopped) break;
      core::log_warning("app", "starting again");
      co_await async::sleep_for(std::chrono::seconds(1));
    }
    co_await metrics.stop();
    co_await endpoint.stop();
    co_await fallback.finish();
    signals.cancel();
  }
};

}  // namespace

int run(const std::string& config_path) {
  auto config = load(config_path);
  if (!config) {
    complain(config.error());
    return exit_bad_configuration;
  }
  asio::io_context io(1);
  Lives lives(io, config_path);
  auto watching = lives.watch_signals();
  asio::co_spawn(io, std::move(watching), asio::detached);
  auto living = lives.live(std::move(*config));
  asio::co_spawn(io, std::move(living), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  io.run();
  return lives.exit_code;
}

int exec(const std::string& config_path, const std::string& line, bool yes, bool json) {
  auto config = load(config_path);
  if (!config) {
    complain(config.error());
    return exit_bad_configuration;
  }
  auto print = [json](std::string text) {
    // With --json the conversation goes to the side, so that stdout is one document.
    std::fprintf(json ? stderr : stdout, "%s\n", text.c_str());
    std::fflush(json ? stderr : stdout);
  };
  auto finish = [json](const LineResult& result) {
    if (json) std::printf("%s\n", result.json.empty() ? "{}" : result.json.c_str());
    return result.exit_code;
  };
  const command::TerminalLine asked{line, yes, json};
  if (auto handed = send_line(config->bot.socket, asked, print)) return finish(*handed);

  asio::io_context io(1);
  async::WorkThread compute(compute_thread);
  Fallback fallback(io.get_executor(), *config);
  Bot bot(io.get_executor(), std::move(*config), compute, fallback, nullptr);
  int exit_code = exit_failed;
  auto work = [&]() -> awaitable<void> {
    auto result = co_await bot.run_line(asked, print);
    if (!result) complain(result.error());
    else exit_code = finish(LineResult{result->exit_code, result->json});
  };
  asio::co_spawn(io, work, [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  io.run();
  return exit_code;
}

}  // namespace steward::app
