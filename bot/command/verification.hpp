// Proof before anything changes: that a command really stands on the homeserver as its sender's own, and that the database
// is that homeserver's. Whoever holds the hs_token, or a bridge with a wide namespace, can say `sender: @admin`. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "matrix/event.hpp"

namespace steward::command {

// Fetches `event` from the homeserver by id and compares it with what was pushed; where the database is at hand, a device of
// the sender must have sent it. not_allowed: forged (why says how it was found out). unavailable: could not be checked.
boost::asio::awaitable<core::Result<matrix::Event>> verify_event(matrix::Event event, Services& services);

// `just_sent` must be found in Synapse's database; else everything above level 0 is refused (conflict) and both addresses named.
boost::asio::awaitable<core::Result<void>> verify_database(core::EventId just_sent, Services& services);
// With Synapse stopped nothing can be sent: the newest message that the bot is known to have sent to its room must be found.
boost::asio::awaitable<core::Result<void>> verify_stopped_database(Services& services);

}  // namespace steward::command
