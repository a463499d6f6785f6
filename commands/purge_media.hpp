// The plan of purge-media for a policy, whose bound cuts it: the remote cache in many small slices by age. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"

namespace steward::commands {

// As purge-media's own plan otherwise. `arguments` are purge-media's.
boost::asio::awaitable<core::Result<jobs::Plan>> plan_purge_media_finely(command::Arguments arguments, command::Context& context);

}  // namespace steward::commands
