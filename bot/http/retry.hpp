// One call with the patience the homeserver's APIs need: retry, back-off, 429, and a refusal turned into an Error.
// Used by matrix and synapse, which bring the reader of their error bodies (no JSON here). I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "http/transport.hpp"

namespace steward::http {

// How often and how long to try again inside one call.
struct Patience {
  int attempts = 4;
  std::chrono::milliseconds first_delay = std::chrono::milliseconds(500);  // doubled each time
  std::chrono::milliseconds longest_delay = std::chrono::seconds(30);      // a 429 that wants more ends the call
};

// What an unsuccessful answer says of itself, as read from its body.
struct Refusal {
  std::string errcode;  // "M_FORBIDDEN"; empty when the body is not the API's (a proxy answered)
  std::string text;
  std::optional<std::chrono::milliseconds> retry_after;
};
using ReadRefusal = Refusal (*)(const std::string& body);

enum class Repeat {
  freely,       // repeating changes nothing: reads, PUTs, sends with a transaction id
  only_unsent,  // repeated only when nothing was sent, or the server said 429
};

struct Call {
  Call(std::string doing_what, Request the_request, Repeat the_repeat)
      : doing(std::move(doing_what)), request(std::move(the_request)), repeat(the_repeat) {}
  std::string doing;  // ends the sentence "Could not …"
  Request request;
  Repeat repeat;
  CallOptions options;
  Patience patience;
};

// The answer with a 2xx status. Errors carry the errcode in `source`; code by status: 401/403 not_allowed, 404
// not_found, other 4xx rejected, 429/5xx unavailable after the tries. in_doubt instead of unavailable where a call that
// must not be repeated was answered 500, 502 or 504: it may have been done. Transport errors keep their code.
// Cancellation also ends the waiting between two tries.
boost::asio::awaitable<core::Result<Response>> call(Transport& transport, Call call, ReadRefusal read_refusal);

}  // namespace steward::http
