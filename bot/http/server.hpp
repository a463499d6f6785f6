// The small HTTP/1.1 server for the application-service endpoint (and the metrics listener later).
// A gate sees the head before a byte of the body is read; the handler answers the whole request. I/O thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "http/transport.hpp"

namespace steward::http {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                // 0: the system chooses; port() tells
  std::size_t header_limit = 8U << 10;   // 431 above it
  std::size_t body_limit = 32U << 20;    // 413 above it; Beast's own default of 1 MB would wedge Synapse's queue
  std::size_t max_connections = 16;      // further connections wait in the backlog
  std::chrono::milliseconds read_deadline = std::chrono::seconds(30);   // for one whole request once its first byte came
  std::chrono::milliseconds write_deadline = std::chrono::seconds(30);
  std::chrono::milliseconds idle_deadline = std::chrono::minutes(10);   // between requests of a kept connection
};

// Sees method, target and headers (body empty). An answer here refuses the request: it is sent and the connection closed;
// the body is neither parsed nor kept (up to a second of it is thrown away, so that the other side can read the answer).
// nullopt lets it through.
using Gate = std::function<std::optional<Response>(const Request& head)>;
// Answers the whole request. An exception becomes a 500; when the server stops it is cancelled after the grace time.
// Answers get `Content-Type: application/json` unless they bring their own.
using Handler = std::function<boost::asio::awaitable<Response>(Request request)>;

class Server {
 public:
  // Binds and listens at once, accepts after start(). conflict when the address is in use, bad_input when it is none.
  static core::Result<std::unique_ptr<Server>> listen(boost::asio::any_io_executor executor, ServerOptions options,
                                                      Gate gate, Handler handler);
  ~Server();

  void start();
  std::uint16_t port() const;

  // Stops accepting, lets requests under way finish for `grace`, then closes what is left.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace steward::http
