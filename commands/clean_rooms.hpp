// What the files of clean-rooms share: the methods, the plan, and the choice that a plan stores for its act. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "command/arguments.hpp"
#include "command/context.hpp"
#include "commands/room_selection.hpp"
#include "core/error.hpp"
#include "jobs/plan.hpp"

namespace steward::commands {

// How rooms are deleted; the words of --method.
enum class Method { api, hybrid, offline };
std::string_view word(Method method);

boost::asio::awaitable<core::Result<jobs::Plan>> plan_clean_rooms(command::Arguments arguments, command::Context& context);
// The same for those rooms only that a policy is about.
boost::asio::awaitable<core::Result<jobs::Plan>> plan_clean_rooms_within(command::Arguments arguments, RoomFilter filter, command::Context& context);

// What run() needs of the plan to judge a room as the plan did; what the config protects is read anew.
core::Result<RoomChoice> stored_choice(const jobs::Plan& plan, const command::Context& context);
Method stored_method(const jobs::Plan& plan);

}  // namespace steward::commands
