// Signs of damage in Synapse's tables (sql/rooms_danger.sql): counted before and after a job that deletes, they must not grow.
// Used by the commands that delete rows by SQL or rooms. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::commands {

using DangerSigns = std::vector<std::pair<std::string, std::int64_t>>;  // by name
boost::asio::awaitable<core::Result<DangerSigns>> danger_signs(db::Session& work);

// A line of the receipt: nothing grew, what grew, or why it was not looked at.
std::string danger_line(const core::Result<DangerSigns>& before, const core::Result<DangerSigns>& after);

}  // namespace steward::commands
