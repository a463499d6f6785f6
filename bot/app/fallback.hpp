// The other way to people, for when the admin room cannot be reached: a webhook, or a program with exact arguments (alerts.fallback).
// Outlives the lives of the bot, so that a trouble that ends one of them is told once. Made by app, used by bot. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <string>

#include "async/tasks.hpp"
#include "config/config.hpp"
#include "core/error.hpp"

namespace steward::app {

class Fallback {
 public:
  Fallback(boost::asio::any_io_executor io, const config::Config& config);

  bool configured() const { return !words_.empty(); }
  // Sends now and says where: "the webhook", "mail". Errors: what the webhook answered, how the program ended. Up to 30 s.
  boost::asio::awaitable<core::Result<std::string>> send(std::string text);
  // In the background, with the server's name before it; what fails is logged. Nothing without a configuration.
  void tell(const std::string& text);
  // A trouble that lasts: told once when it is `after` old; well() ends it and, if it was told, tells that it is over.
  void trouble(const std::string& topic, std::chrono::seconds after, const std::string& text);
  void well(const std::string& topic, const std::string& text);
  // Waits for what is being sent.
  boost::asio::awaitable<void> finish();

 private:
  struct Trouble { std::chrono::steady_clock::time_point since; bool told = false; };

  boost::asio::awaitable<core::Result<std::string>> call_webhook(std::string text);
  boost::asio::awaitable<core::Result<std::string>> run_program(std::string text);
  boost::asio::awaitable<void> send_and_log(std::string text);

  boost::asio::any_io_executor io_;
  std::vector<std::string> words_;
  std::string server_name_;
  std::map<std::string, Trouble> troubles_;
  async::TaskGroup sending_;
};

}  // namespace steward::app
