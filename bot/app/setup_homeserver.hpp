// The homeserver as setup, check and remove talk to it: one connection pool and both clients over it, with little patience,
// because a person waits at the terminal. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "config/config.hpp"
#include "core/error.hpp"
#include "http/client.hpp"
#include "matrix/client.hpp"
#include "synapse/admin_client.hpp"

namespace steward::app {

// The device of the chat user: every call carries it, so that a repeated send is recognised after Synapse's restart.
inline constexpr std::string_view chat_device = "STEWARD";

struct Homeserver {
  Homeserver(std::unique_ptr<http::Client> transport, const config::Config& config);
  // An admin client with another token over the same connections.
  synapse::AdminClient as(core::Secret token) const;

  std::unique_ptr<http::Client> http;
  core::UserId sender, chat;
  matrix::Client matrix;
  synapse::AdminClient admin;  // with admin_token when the config has one, else the as_token
};
core::Result<std::unique_ptr<Homeserver>> connect_homeserver(boost::asio::any_io_executor io, const config::Config& config);

// Whether the running Synapse accepts our as_token, which is the same as: it has read our registration.
enum class Registered { yes, no, unreachable, wrong };
struct RegistrationState {
  Registered state = Registered::unreachable;
  core::Error error;  // unless yes; wrong: something else answers there, or the names do not fit
};
boost::asio::awaitable<RegistrationState> ask_registration(Homeserver& homeserver);

// Whether Synapse reaches the bot with the right hs_token, by Synapse's own ping. Where the bot does not run, its port is
// listened on for the moment of the ping; transactions that arrive then are answered 503, so Synapse keeps them.
struct Reach {
  bool bot_runs = false;
  bool listened = true;  // false: the port could not be had for another reason, which is in `ping`
  core::Result<std::chrono::milliseconds> ping = core::fail(core::Code::internal, "not asked");
};
boost::asio::awaitable<Reach> prove_reach(boost::asio::any_io_executor io, Homeserver& homeserver, const config::Config& config);

// Runs one coroutine to its end on a loop of its own.
template <class T>
T run_to_end(boost::asio::io_context& io, boost::asio::awaitable<T> work) {
  std::optional<T> result;
  std::exception_ptr thrown;
  boost::asio::co_spawn(io, std::move(work), [&result, &thrown](std::exception_ptr error, T value) {
    thrown = error;
    if (!error) result.emplace(std::move(value));
  });
  io.restart();
  io.run();
  if (thrown) std::rethrow_exception(thrown);
  return std::move(*result);
}

}  // namespace steward::app
