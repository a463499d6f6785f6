// The act of purge-media and purge-user-media: local files one by one by id, each looked at again directly before; the remote cache
// in the plan's slices, counted before and after. Ends with a recount. I/O thread; SQL on the read session, deletion by the API.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"
#include "core/error.hpp"
#include "jobs/plan.hpp"
#include "jobs/progress.hpp"

namespace steward::commands {

// Repeatable: settles what an earlier life of the bot left under way. A Synapse or database that is away is waited for, five
// minutes at most; then it ends with that error and !retry goes on.
boost::asio::awaitable<core::Result<jobs::Receipt>> delete_media(jobs::Plan plan, jobs::Progress& progress, command::Context& context);

}  // namespace steward::commands
