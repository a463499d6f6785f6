// The status reaction on a command: ⏳ while it is worked on, then ✅, ❌ or 🛑. One place, because plans, answers and jobs all
// set it. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "command/context.hpp"
#include "core/ids.hpp"
#include "room/admin_room.hpp"

namespace steward::command {

// The cause of the ⏳ that comes first; the dispatcher waits for its event to prove the database.
std::string status_cause(const core::EventId& command_event);

// Replaces what stands there by `sign`. Nothing for a command without an event (terminal).
boost::asio::awaitable<void> set_status(Services& services, room::AdminRoom& room, core::EventId command_event, std::string sign);

}  // namespace steward::command
