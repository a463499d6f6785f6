// Text of redacted events outside of event_json: found, and taken away once Synapse has censored the event. Used by
// clean-redacted. The functions that take a transaction run on its session's thread, the coroutines on the I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::commands {

struct RedactedChoice {
  std::string room;                // empty: all
  std::chrono::seconds older{};    // redaction received at least this long ago; zero: all
};

// Rows by the table they are in: event_search, events (two old columns), room_memberships (names of past memberships).
struct RedactedRows {
  std::int64_t search = 0, old_columns = 0, names = 0;
  std::int64_t sum() const { return search + old_columns + names; }
  RedactedRows& operator+=(const RedactedRows& other);
};

struct RedactedEvent {
  std::string event_id;
  RedactedRows rows;
};

struct RedactedText {
  std::vector<RedactedEvent> events;  // censored, with text left
  std::int64_t uncensored = 0;        // text left, looked at by Synapse, but not censored: a refused redaction above all
};

// Short transactions, one a page of redactions.
boost::asio::awaitable<core::Result<RedactedText>> find_redacted_text(db::Session& read, RedactedChoice choice);

struct RedactedCleaning {
  RedactedRows rows;
  std::vector<std::string> kept;  // event ids that are not provably censored now
};

// Looks at each event again and cleans those that are censored. `events` as db::bind_array made it.
core::Result<RedactedCleaning> clean_redacted_text(db::Transaction& transaction, const std::string& events);

}  // namespace steward::commands
