// The reports that come by themselves. Called by app at its start. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"
#include "core/error.hpp"

namespace steward::commands {

// Makes the schedules of the daily and the weekly report, once in the life of the store: one that was removed stays away.
boost::asio::awaitable<core::Result<void>> make_report_schedules(command::Services& services);

}  // namespace steward::commands
