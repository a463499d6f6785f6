// What people set in the room with !settings, and how it reaches the running bot. Used by settings.cpp and by app at
// start and after SIGHUP (the room's word wins over the configuration). I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"
#include "core/error.hpp"

namespace steward::commands {

// Puts what is stored ("user.time-zone" …) into services.options. A stored value that is no longer valid is logged and
// left out.
boost::asio::awaitable<core::Result<void>> load_settings(command::Services& services);

}  // namespace steward::commands
