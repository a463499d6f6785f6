// The daily snapshot of table sizes that db-growth and db compare with. Called by app's housekeeping, at start and every hour. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"
#include "core/error.hpp"

namespace steward::commands {

// Notes today's sizes unless that is done, and forgets those older than 400 days. Nothing happens without Synapse's database.
boost::asio::awaitable<core::Result<void>> note_table_sizes(command::Services& services);

}  // namespace steward::commands
