// Work on the tables of a stopped Synapse: the lock that keeps it from starting meanwhile. Used by clean-rooms --method offline and
// clean-orphans. I/O thread; the lock is on a session of its own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "command/context.hpp"
#include "db/offline_guard.hpp"

namespace steward::commands {

// Released by release(), or with the guard. conflict: somebody is connected to the database, with names; unavailable: there is no
// connection to it.
boost::asio::awaitable<core::Result<std::unique_ptr<db::OfflineGuard>>> keep_synapse_stopped(command::Context& context);

}  // namespace steward::commands
