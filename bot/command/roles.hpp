// Who may command: a role from the config (admins) or the store (reader, operator), AND joined to the admin room, AND local
// unless listed, AND neither deactivated, locked nor suspended; looked up for each command. Membership, power levels and display
// names give no right. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"
#include "core/error.hpp"

namespace steward::command {

// The effective role. not_allowed says why there is none (unknown, remote, deactivated, locked, suspended, not in the room);
// unavailable when Synapse cannot be asked (then nothing above level 0 runs).
boost::asio::awaitable<core::Result<Role>> role_of(core::UserId user, Services& services);

}  // namespace steward::command
