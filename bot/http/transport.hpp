// The seam between the Matrix/Synapse clients and the network: one request in, one response out.
// Used by matrix and synapse; tests put a scripted Transport here. Runs on the I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace steward::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method = "GET";
  std::string target;  // path and query, already percent-encoded (http/url.hpp builds it)
  Headers headers;
  std::string body;
  std::string content_type = "application/json";  // sent only with a body
};

struct Response {
  unsigned status = 0;
  Headers headers;
  std::string body;

  // The first header of that name (case ignored), empty when absent.
  std::string_view header(std::string_view name) const;
};

struct CallOptions {
  // From the start of the call to the last byte of the answer. Long admin calls pass hours.
  std::chrono::milliseconds deadline = std::chrono::seconds(30);
  std::size_t response_limit = 256U << 20;
  // A kept connection that turns out dead is replaced silently for idempotent methods (http/client.hpp). False where a second
  // request does harm all the same: Synapse accepts a second DELETE of a room it is deleting or has deleted.
  bool repeat_on_dead_connection = true;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Sends one request. Any answered status is a success here; judging it is the caller's work.
  // Errors: unavailable (nothing was sent: refused, unresolved, no free connection; or a GET's answer was lost, which leaves
  // no doubt), timeout (sent, outcome unknown), in_doubt (the connection broke after the request was sent, outcome unknown),
  // cancelled (cancellation closes the connection; `why` says whether it had been sent), protocol (the answer is not HTTP
  // or over response_limit), bad_input (a line break or space in target or headers).
  virtual boost::asio::awaitable<core::Result<Response>> send(Request request, CallOptions options) = 0;
};

}  // namespace steward::http
