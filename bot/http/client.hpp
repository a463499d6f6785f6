// The HTTP/1.1 client: keep-alive connections to one base URL, TLS where the URL says https, deadlines, unix sockets.
// Used by app, which hands it to matrix and synapse as a Transport. Runs on the I/O thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "http/transport.hpp"

namespace steward::http {

struct ClientOptions {
  std::string base_url;  // "http://127.0.0.1:8008", "https://hs.example", "unix:/run/synapse/main.sock"; a path is a prefix
  std::string user_agent = "synapse-steward";
  std::size_t max_connections = 8;                                // further calls wait for a free one
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(50);  // older idle connections are not reused
  std::string ca_file;                                            // empty: the system's
};

class Client final : public Transport {
 public:
  // bad_input when the URL cannot be used.
  static core::Result<std::unique_ptr<Client>> create(boost::asio::any_io_executor executor, ClientOptions options);
  ~Client() override;

  // A connection that turns out to be dead before a byte of the answer arrived is replaced once, silently, when the request
  // is idempotent (GET, PUT, DELETE, HEAD); Matrix sends carry a transaction id, so PUT is safe to repeat.
  boost::asio::awaitable<core::Result<Response>> send(Request request, CallOptions options) override;

  // Drops the idle connections; calls under way are not touched.
  void close_idle();

 private:
  struct State;
  explicit Client(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace steward::http
