// A look at a transaction that builds nothing: most of a server's traffic is other people's, and only has to be acknowledged.
// Used by appservice before it parses. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/ids.hpp"

namespace steward::matrix {

// What the bot wants to see: all events of a room (empty: of none), and from any room those whose state_key is its name.
struct Interest {
  core::RoomId room;
  core::UserId user;
};

struct Glance {
  std::size_t events = 0;
  bool matters = false;  // one of them is of interest
};

// nullopt: this is not a plain JSON object, parse_transaction() has to judge it.
std::optional<Glance> glance_at_transaction(std::string_view body, const Interest& interest);

}  // namespace steward::matrix
