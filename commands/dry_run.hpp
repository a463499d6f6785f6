// What a command line would do now, by its own plan. Used by schedules.cpp (before one is confirmed) and shrink.cpp. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"
#include "command/request.hpp"

namespace steward::commands {

// Changes nothing. A command that only answers has a plan without items. Errors: the command's own refusal.
boost::asio::awaitable<core::Result<jobs::Plan>> dry_run(const command::Request& request, command::Context& context);

}  // namespace steward::commands
