#include "host/server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>

#include "async/tasks.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "host/actions.hpp"

namespace steward::host {

namespace asio = boost::asio;
using asio::awaitable;
using Protocol = asio::local::stream_protocol;
using Socket = std::shared_ptr<Protocol::socket>;

namespace {
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr auto request_limit = std::chrono::seconds(5);
constexpr auto look_every = std::chrono::milliseconds(50);
constexpr int most_connections = 8;
}  // namespace

// One request and what was said to it.
struct Operation {
  std::string text;
  std::vector<std::string> lines;
  std::optional<Ending> ending;
};

struct Server::State {
  State(asio::any_io_executor io_, Settings settings_, std::unique_ptr<Actions> actions_)
      : acceptor(io_), io(io_), settings(std::move(settings_)), actions(std::move(actions_)) {}

  Protocol::acceptor acceptor;
  asio::any_io_executor io;
  Settings settings;
  std::unique_ptr<Actions> actions;
  std::shared_ptr<Operation> working, last;
  int connections = 0;
  bool stopping = false;

  void log(const std::string& text) const {
    core::log_info("host", "{}", text);
    std::ofstream file(settings.log, std::ios::app);
    const auto time = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    file << core::format_time(time, "UTC") << " " << core::clean_name(text, 1000) << '\n';
  }
  // A program's own output ("| …") is for the log alone.
  Say say_to(std::shared_ptr<Operation> operation) {
    return [this, operation](std::string line) {
      log("  " + line);
      if (!line.starts_with("| ")) operation->lines.push_back(std::move(line));
    };
  }
};

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  std::error_code ignored;
  std::filesystem::remove(state_->settings.socket, ignored);
}

bool Server::stop() {
  state_->stopping = true;
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  return state_->working == nullptr;
}

core::Result<std::unique_ptr<Server>> Server::listen(asio::any_io_executor io, Settings settings) {
  auto actions = Actions::create(io, settings);
  if (!actions) return core::fail(actions.error());
  std::error_code failed;
  std::filesystem::create_directories(settings.state, failed);
  const std::string path = settings.socket;
  auto state = std::make_shared<State>(io, std::move(settings), std::move(*actions));
  boost::system::error_code error;
  {
    asio::io_context probing;
    Protocol::socket probe(probing);
    probe.connect(Protocol::endpoint(path), error);
    if (!error) return core::fail(core::Code::conflict, "Another program listens on " + path);
  }
  std::filesystem::remove(path, failed);
  state->acceptor.open(Protocol(), error);
  const mode_t before = ::umask(0177);
  if (!error) state->acceptor.bind(Protocol::endpoint(path), error);
  ::umask(before);
  // Only root can give it away; else it is the allowed account that runs this program, or nobody can connect.
  if (!error && ::geteuid() == 0 && ::chown(path.c_str(), state->settings.allowed, static_cast<gid_t>(-1)) != 0) error.assign(errno, boost::system::generic_category());
  if (!error) state->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return core::fail(core::Code::not_allowed, "The socket " + path + " cannot be made", error.message());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

namespace {

std::optional<ucred> peer_of(Protocol::socket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer;
}

awaitable<std::optional<std::string>> read_line(Socket socket) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  timer.expires_after(request_limit);
  timer.async_wait([socket](boost::system::error_code error) {
    boost::system::error_code ignored;
    if (!error) socket->shutdown(asio::socket_base::shutdown_receive, ignored);
  });
  std::string buffer;
  auto dynamic = asio::dynamic_buffer(buffer, longest_request);
  auto [error, length] = co_await asio::async_read_until(*socket, dynamic, '\n', as_result);
  if (error || length == 0) co_return std::nullopt;
  co_return buffer.substr(0, length - 1);
}

awaitable<bool> write(Socket socket, std::string text) {
  auto [error, written] = co_await asio::async_write(*socket, asio::buffer(text), as_result);
  static_cast<void>(written);
  co_return !error;
}

awaitable<Ending> act(Actions& actions, Request request, Say say) {
  switch (request.verb) {
    case Verb::stop: return actions.stop(std::move(say));
    case Verb::start: return actions.start(std::move(say));
    case Verb::restart: return actions.restart(std::move(say));
    case Verb::backup: return actions.backup(std::move(say));
    case Verb::disk: return actions.disk(std::move(say));
    default: return actions.upgrade(std::move(request.version), std::move(say));
  }
}

// Empty: it is.
std::string not_configured(const Settings& settings, Verb verb) {
  if (verb == Verb::upgrade) return settings.can_upgrade() ? "" : "`upgrade` is not set in host.yaml";
  const Verb needed = verb == Verb::restart ? Verb::stop : verb;
  return settings.action(verb) || settings.action(needed) ? "" : fmt::format("`actions.{}` is not set in host.yaml", name(needed));
}

awaitable<void> work(std::shared_ptr<Server::State> state, std::shared_ptr<Operation> operation, Request request) {
  Ending ending;
  try {
    Say say = state->say_to(operation);
    ending = co_await act(*state->actions, std::move(request), std::move(say));
  } catch (const std::exception& error) {
    ending = failed(std::string("A bug of this program: ") + error.what());
  }
  state->log(operation->text + ": " + ending_line(ending));
  operation->ending = std::move(ending);
  if (state->working == operation) state->working.reset();
}

// Begins it, or says why not. What reads is answered at once.
std::shared_ptr<Operation> begin(std::shared_ptr<Server::State> state, const Request& request) {
  auto operation = std::make_shared<Operation>();
  operation->text = request.text();
  Say quiet = [operation](std::string line) { operation->lines.push_back(std::move(line)); };
  if (request.verb == Verb::dump) {
    operation->ending = state->actions->dump(quiet);
  } else if (request.verb == Verb::state) {
    operation->ending = state->actions->state(quiet);
    if (state->working) quiet("working=" + state->working->text);
    if (state->last) {
      quiet("last=" + state->last->text);
      for (const std::string& line : state->last->lines) quiet("last_line=" + line);
      if (state->last->ending) quiet("last_ending=" + ending_line(*state->last->ending));
    }
  } else if (std::string why = not_configured(state->settings, request.verb); !why.empty()) {
    operation->ending = refused(std::move(why));
  } else if (state->working) {
    operation->ending = refused("Busy: " + state->working->text + " is at work");
  } else {
    state->working = operation;
    if (request.verb != Verb::disk) state->last = operation;
    asio::co_spawn(state->io, work(state, operation, request), asio::detached);
  }
  return operation;
}

awaitable<void> answer(std::shared_ptr<Server::State> state, Socket socket) {
  const auto line = co_await read_line(socket);
  if (!line) co_return;
  const auto request = read_request(*line);
  if (!request) {
    state->log("refused a request that is none: " + core::describe(request.error()));
    co_await write(socket, ending_line(refused(core::describe(request.error()))) + "\n");
    co_return;
  }
  if (request->verb != Verb::state) state->log("asked for " + request->text());
  const auto operation = begin(state, *request);
  for (std::size_t told = 0;;) {
    const bool over = operation->ending.has_value();
    std::string text;
    for (; told < operation->lines.size(); ++told) text += "say " + operation->lines[told] + "\n";
    if (over) text += ending_line(*operation->ending) + "\n";
    bool there = true;
    if (!text.empty()) there = co_await write(socket, std::move(text));
    if (over || !there) co_return;
    co_await async::sleep_for(look_every);
  }
}

awaitable<void> serve(std::shared_ptr<Server::State> state, Socket socket) {
  const auto peer = peer_of(*socket);
  if (peer && peer->uid == state->settings.allowed && state->connections < most_connections) {
    ++state->connections;
    co_await answer(state, socket);
    --state->connections;
  } else {
    state->log(peer ? fmt::format("turned away process {} of account {}", peer->pid, peer->uid) : std::string("turned away a peer without credentials"));
  }
}

// Starts Synapse at the window's end, and after a crash of this program in the middle of an upgrade.
awaitable<void> watch(std::shared_ptr<Server::State> state) {
  auto operation = std::make_shared<Operation>();
  operation->text = "the upgrade before";
  state->working = operation;
  co_await state->actions->finish_upgrade(state->say_to(operation));
  if (state->working == operation) state->working.reset();
  while (!state->stopping) {
    if (!state->working && state->actions->window_is_over()) {
      state->log("the window is over: Synapse is started");
      Request request{.verb = Verb::start};
      begin(state, request);
    }
    co_await async::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

awaitable<void> Server::run() {
  auto state = state_;
  state->log("listening on " + state->settings.socket);
  asio::co_spawn(state->io, watch(state), asio::detached);
  while (!state->stopping) {
    auto [error, accepted] = co_await state->acceptor.async_accept(as_result);
    if (error) {
      if (state->stopping) break;
      co_await async::sleep_for(std::chrono::seconds(1));  // out of descriptors, perhaps
      continue;
    }
    auto socket = std::make_shared<Protocol::socket>(std::move(accepted));
    asio::co_spawn(state->io, serve(state, std::move(socket)), asio::detached);
  }
  while (state->working) co_await async::sleep_for(look_every);
}

}  // namespace steward::host
