// Scripted HTTP peers for the client's tests: a listener on loopback whose connections are played by a coroutine.
// Everything runs on the test's io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace steward::http {

using Tcp = boost::asio::ip::tcp;

// Reads one request's head and its Content-Length bytes of body; empty when the other side closed.
template <class Stream>
boost::asio::awaitable<std::string> read_request(Stream& stream, std::string& kept) {
  boost::system::error_code error;
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, error);
  auto buffer = boost::asio::dynamic_buffer(kept);
  const std::size_t head = co_await boost::asio::async_read_until(stream, buffer, "\r\n\r\n", token);
  if (error) co_return std::string();
  std::size_t length = 0;
  const auto at = kept.find("Content-Length: ");
  if (at < head) length = std::stoul(kept.substr(at + 16));
  while (kept.size() < head + length) {
    char chunk[16384];
    const auto space = boost::asio::buffer(chunk);
    const std::size_t size = co_await stream.async_read_some(space, token);
    if (error) co_return std::string();
    kept.append(chunk, size);
  }
  std::string request = kept.substr(0, head + length);
  kept.erase(0, head + length);
  co_return request;
}

template <class Stream>
boost::asio::awaitable<void> write_text(Stream& stream, std::string text) {
  boost::system::error_code ignored;
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ignored);
  const auto bytes = boost::asio::buffer(text);
  co_await boost::asio::async_write(stream, bytes, token);
}

inline std::string ok(std::string_view body, std::string_view extra_headers = "") {
  std::string text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
  text.append(extra_headers);
  return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

class Peer {
 public:
  // `play` is started for each connection with its number (0, 1, …).
  using Play = std::function<boost::asio::awaitable<void>(Tcp::socket socket, int number)>;

  Peer(boost::asio::io_context& io, Play play)
      : io_(io), acceptor_(io, Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)), play_(std::move(play)) {
    boost::asio::co_spawn(io_, accept(), boost::asio::detached);
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  int connections() const { return connections_; }

 private:
  boost::asio::awaitable<void> accept() {
    for (;;) {
      boost::system::error_code error;
      auto token = boost::asio::redirect_error(boost::asio::use_awaitable, error);
      Tcp::socket socket = co_await acceptor_.async_accept(token);
      if (error) co_return;
      boost::asio::co_spawn(io_, play_(std::move(socket), connections_++), boost::asio::detached);
    }
  }

  boost::asio::io_context& io_;
  Tcp::acceptor acceptor_;
  Play play_;
  int connections_ = 0;
};

}  // namespace steward::http
