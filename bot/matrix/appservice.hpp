// The application-service endpoint: what Synapse calls. Tokens are checked on the head, before a byte of the body is
// read; a transaction is answered 200 {} only after the callback has stored it. Runs on the I/O thread behind
// http::Server.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/work_thread.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"
#include "http/server.hpp"
#include "matrix/event.hpp"
#include "matrix/glance.hpp"

namespace steward::matrix {

struct AppserviceOptions {
  core::Secret hs_token;
  bool legacy_query_token = false;       // accept ?access_token= when the header is missing
  std::size_t offload_above = 1U << 20;  // larger bodies are parsed on `compute`
};

class Appservice {
 public:
  // Stores the events; an error makes the answer 503 so that Synapse sends the transaction again.
  using OnTransaction = std::function<boost::asio::awaitable<core::Result<void>>(std::vector<Event> events)>;
  Appservice(AppserviceOptions options, async::WorkThread& compute, OnTransaction on_transaction);

  // For http::Server. handle() counts on gate() having let the request through. Routes: PUT transactions/{id}, POST
  // ping, GET users|rooms|thirdparty (404 M_NOT_FOUND), others 404, known path with another method 405
  // (M_UNRECOGNIZED), missing token 401 M_MISSING_TOKEN, wrong one 403 M_FORBIDDEN.
  // From now on only transactions with an event of interest are parsed and given to OnTransaction, whole; all others are counted
  // and acknowledged. Asked for each transaction. {}: all are parsed.
  using Wanted = std::function<Interest()>;
  void only(Wanted wanted) { wanted_ = std::move(wanted); }

  std::optional<http::Response> gate(const http::Request& head) const;
  boost::asio::awaitable<http::Response> handle(http::Request request);

  struct Counters {
    std::uint64_t transactions = 0, events = 0, broken = 0, refused = 0;
  };
  const Counters& counters() const { return counters_; }
  // The id of the last /ping seen, for the start-up check.
  const std::string& last_ping() const { return last_ping_; }

 private:
  std::optional<http::Response> check_token(const http::Request& head) const;
  boost::asio::awaitable<http::Response> transaction(std::string body);
  boost::asio::awaitable<http::Response> ping(std::string body);
  boost::asio::awaitable<http::Response> not_found();
  void note_broken(int count);
  AppserviceOptions options_;
  async::WorkThread& compute_;
  OnTransaction on_transaction_;
  Wanted wanted_;
  Counters counters_;
  std::string last_ping_;
};

}  // namespace steward::matrix
