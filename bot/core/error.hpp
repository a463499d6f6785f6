// Error and Result: how every layer above the libraries reports failure.
// Used by all layers, on any thread. Library exceptions become an Error in the one adapter that includes the library.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace steward::core {

// What kind of failure it is; decides whether somebody may try again. The words for people are in Error.
enum class Code {
  bad_input,    // the caller's words or arguments are wrong
  not_allowed,  // no right: role, token, GRANT
  not_found,    // the thing named does not exist
  conflict,     // it exists already, or somebody else holds it
  unavailable,  // a server is down, refuses connections or is rate-limiting; may succeed later
  timeout,      // no answer before the deadline; the outcome is unknown
  cancelled,    // a person or the shutdown asked to stop
  rejected,     // a server answered and said no
  protocol,     // an answer could not be understood
  in_doubt,     // a commit or call whose outcome must be looked up before anything else
  internal,     // a bug of ours
};

// Says what happened, why, and what to do next. `source` holds the Matrix errcode or SQLSTATE, else it is empty.
// None of the fields ever holds a token, a password, a connection string or a query text.
struct Error {
  Code code = Code::internal;
  std::string what;
  std::string why;
  std::string next;
  std::string source;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string what, std::string why = {}, std::string next = {},
                                   std::string source = {}) {
  return std::unexpected(Error{code, std::move(what), std::move(why), std::move(next), std::move(source)});
}

inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

// One line for a log or a terminal: "what: why (source). next".
std::string describe(const Error& error);

// True where trying again later can help (unavailable, timeout).
bool is_temporary(const Error& error);

}  // namespace steward::core
