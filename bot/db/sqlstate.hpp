// From SQLSTATE and message to core::Error. Used by session.cpp; `undefined_table` also by whoever asks for what an older
// Synapse does not have. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace steward::db {

inline constexpr std::string_view undefined_table = "42P01";

struct Message {
  std::string sqlstate;  // "" when the text has none
  std::string text;
};
// Reads "ERROR:  42501: permission denied for table t" (verbosity `verbose`): the first line, without the (localised)
// severity. DETAIL, CONTEXT and the marked query stand on later lines and are dropped, because they hold data.
Message read_message(std::string_view text);

// True when the server ended the connection with this state (shutdown, crash, class 08).
bool ends_connection(std::string_view sqlstate);

// `elapsed` and `limit` (zero: none) tell a statement time-out from a cancellation where the message is not English:
// both are 57014.
core::Error error_of(std::string_view sqlstate, std::string_view message, std::chrono::milliseconds elapsed,
                     std::chrono::milliseconds limit);

core::Error connection_lost(std::string why);

}  // namespace steward::db
