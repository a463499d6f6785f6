#include "app/control_socket.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <filesystem>

#include "core/log.hpp"

namespace steward::app {

namespace asio = boost::asio;
using asio::awaitable;
using Protocol = asio::local::stream_protocol;

namespace {
constexpr std::size_t line_limit = 64U << 10;
constexpr int wish_yes = 1, wish_data = 2;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
}  // namespace

struct ControlSocket::State {
  State(asio::any_io_executor io_, std::string path_, RunLine run_line_)
      : acceptor(io_), io(io_), path(std::move(path_)), run_line(std::move(run_line_)) {}
  ~State() {
    std::error_code ignored;
    if (acceptor.is_open()) std::filesystem::remove(path, ignored);
  }
  Protocol::acceptor acceptor;
  asio::any_io_executor io;
  std::string path;
  RunLine run_line;
};

ControlSocket::ControlSocket(std::shared_ptr<State> state) : state_(std::move(state)) {}
ControlSocket::~ControlSocket() {
  boost::system::error_code ignored;
  std::error_code also_ignored;
  if (state_->acceptor.is_open()) std::filesystem::remove(state_->path, also_ignored);
  state_->acceptor.close(ignored);
}

core::Result<std::unique_ptr<ControlSocket>> ControlSocket::listen(asio::any_io_executor io, std::string path, RunLine run_line) {
  auto state = std::make_shared<State>(io, path, std::move(run_line));
  boost::system::error_code error;
  {
    asio::io_context probing;
    Protocol::socket probe(probing);
    probe.connect(Protocol::endpoint(path), error);
    if (!error)
      return core::fail(core::Code::conflict, "Another bot listens on " + path, "only one may run", "stop it first");
  }
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  state->acceptor.open(Protocol(), error);
  // The mode is set between bind and listen by the mask, so that the socket is never open to others.
  const mode_t before = ::umask(0177);
  if (!error) state->acceptor.bind(Protocol::endpoint(path), error);
  ::umask(before);
  if (!error) state->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return core::fail(core::Code::not_allowed, "The control socket " + path + " cannot be made", error.message(),
                      "check the folder's owner and mode");
  return std::unique_ptr<ControlSocket>(new ControlSocket(std::move(state)));
}

namespace {

// One client: texts are written in the order they come, each after the one before.
awaitable<void> serve(Protocol::socket socket, RunLine run_line) {
  std::string buffer;
  auto dynamic = asio::dynamic_buffer(buffer, line_limit);
  auto [read_error, length] = co_await asio::async_read_until(socket, dynamic, '\n', as_result);
  if (read_error || length < 3) co_return;
  const int wishes = buffer[0] - '0';
  command::TerminalLine line{buffer.substr(2, length - 3), (wishes & wish_yes) != 0, (wishes & wish_data) != 0};

  auto pending = std::make_shared<std::string>();
  auto print = [pending](std::string text) { *pending += fmt::format("T {}\n{}", text.size(), text); };
  std::optional<LineResult> result;
  auto work = [&result, &run_line, line = std::move(line), print]() mutable -> awaitable<void> {
    result = co_await run_line(std::move(line), print);
  };
  // The command must not die with the terminal that asked for it: it runs on its own and is only watched here.
  auto done = std::make_shared<bool>(false);
  auto executor = co_await asio::this_coro::executor;
  auto finished = [done](std::exception_ptr) { *done = true; };
  asio::co_spawn(executor, work, finished);
  asio::steady_timer timer(executor);
  while (true) {
    const bool last = *done;
    const std::string text = std::exchange(*pending, std::string());
    if (!text.empty()) {
      auto buffer_to_send = asio::buffer(text);
      auto [write_error, written] = co_await asio::async_write(socket, buffer_to_send, as_result);
      static_cast<void>(write_error);
      static_cast<void>(written);
    }
    if (last) break;
    timer.expires_after(std::chrono::milliseconds(20));
    auto [wait_error] = co_await timer.async_wait(as_result);
    static_cast<void>(wait_error);
  }
  const LineResult ended = result.value_or(LineResult{1, {}});
  const std::string text = fmt::format("E {} {}\n{}", ended.exit_code, ended.json.size(), ended.json);
  auto buffer_to_send = asio::buffer(text);
  auto [write_error, written] = co_await asio::async_write(socket, buffer_to_send, as_result);
  static_cast<void>(write_error);
  static_cast<void>(written);
}

}  // namespace

awaitable<void> ControlSocket::run() {
  auto state = state_;
  while (state->acceptor.is_open()) {
    auto [error, socket] = co_await state->acceptor.async_accept(as_result);
    if (error) co_return;
    auto serving = serve(std::move(socket), state->run_line);
    asio::co_spawn(state->io, std::move(serving), asio::detached);
  }
}

std::optional<LineResult> send_line(const std::string& path, const command::TerminalLine& line, std::function<void(std::string)> print) {
  asio::io_context io;
  Protocol::socket socket(io);
  boost::system::error_code error;
  socket.connect(Protocol::endpoint(path), error);
  if (error) return std::nullopt;
  const std::string request = fmt::format("{} {}\n", (line.yes ? wish_yes : 0) + (line.as_data ? wish_data : 0), line.text);
  asio::write(socket, asio::buffer(request), error);
  std::string buffer;
  auto dynamic = asio::dynamic_buffer(buffer);
  while (!error) {
    const std::size_t head_length = asio::read_until(socket, dynamic, '\n', error);
    if (error) break;
    const std::string head = buffer.substr(0, head_length);
    buffer.erase(0, head_length);
    char kind = 0;
    long long first = 0;
    long long second = 0;
    const int fields = std::sscanf(head.c_str(), "%c %lld %lld", &kind, &first, &second);
    const std::size_t size = static_cast<std::size_t>(kind == 'E' ? second : first);
    if (fields < 2) break;
    if (buffer.size() < size) asio::read(socket, dynamic, asio::transfer_exactly(size - buffer.size()), error);
    if (error) break;
    const std::string text = buffer.substr(0, size);
    buffer.erase(0, size);
    if (kind == 'E') return LineResult{static_cast<int>(first), text};
    print(text);
  }
  print("The bot went away before it had answered; the work goes on or is taken up again: see !jobs.");
  return LineResult{1, {}};
}

}  // namespace steward::app
