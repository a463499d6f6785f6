#include "host/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace steward::host {

namespace asio = boost::asio;
using asio::awaitable;

namespace {
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t longest_line = 16'384;
}  // namespace

std::string Reply::value(const std::string& name) const {
  for (const std::string& line : lines)
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  return {};
}

std::vector<std::string> Reply::values(const std::string& name) const {
  std::vector<std::string> found;
  for (const std::string& line : lines)
    if (line.starts_with(name + "=")) found.push_back(line.substr(name.size() + 1));
  return found;
}

awaitable<core::Result<Reply>> Client::ask(Request request, OnLine on_line) {
  if (!configured())
    co_return core::fail(core::Code::not_found, "No host action is configured", "`host.socket` is not set in steward.yaml",
                         "run steward-host on Synapse's machine (docs/host.md), then set `host.socket`");
  asio::local::stream_protocol::socket socket(io_);
  asio::local::stream_protocol::endpoint endpoint(socket_);
  auto [refused] = co_await socket.async_connect(endpoint, as_result);
  if (refused)
    co_return core::fail(core::Code::unavailable, "steward-host does not answer on " + socket_, refused.message(),
                         "is it running, and is this account the one in `allow` of its host.yaml?");
  const std::string text = request.text() + "\n";
  auto buffer_to_send = asio::buffer(text);
  auto [not_sent, sent] = co_await asio::async_write(socket, buffer_to_send, as_result);
  static_cast<void>(sent);
  Reply reply;
  std::string buffer;
  auto dynamic = asio::dynamic_buffer(buffer, longest_line);
  for (bool reading = !not_sent; reading;) {
    auto [error, length] = co_await asio::async_read_until(socket, dynamic, '\n', as_result);
    if (error) break;
    std::string line = buffer.substr(0, length - 1);
    buffer.erase(0, length);
    if (auto ending = read_ending(line)) {
      reply.ending = std::move(*ending);
      co_return reply;
    }
    if (!line.starts_with("say ")) break;
    line.erase(0, 4);
    reply.lines.push_back(line);
    if (on_line) co_await on_line(std::move(line));
  }
  co_return core::fail(core::Code::in_doubt, "steward-host went away before it had answered `" + request.text() + "`",
                       reply.lines.empty() ? "this account may not be the one in `allow` of its host.yaml" : "what it had begun it ends when it is started again",
                       "its log on Synapse's machine says more");
}

}  // namespace steward::host
