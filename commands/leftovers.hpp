// What Synapse's purge leaves of a room that is gone: rows that would stop it from being joined or filled again
// (facts: room_retention, event_labels) and rows nobody reads any more. Used by the commands that delete rooms. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::commands {

using TableRows = std::map<std::string, std::int64_t>;

// Noted before the deletion, because afterwards nothing ties these rows to the room.
struct LeftoverNames {
  std::vector<std::string> aliases;   // local aliases the room had
  std::vector<std::string> expiring;  // its events with an expiry
};

// Deletes them in short transactions of at most 5000 rows per table, each repeating the whole predicate; safe while Synapse
// runs and when the room was joined again meanwhile. Rows by table, without the zeros. A lock that is not given is tried
// five times. Never touches blocks, reports or Synapse's streams.
boost::asio::awaitable<core::Result<TableRows>> clean_leftovers(db::Session& work, std::string room_id, LeftoverNames names);

}  // namespace steward::commands
