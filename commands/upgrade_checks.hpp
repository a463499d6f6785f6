// What can be known before an upgrade of Synapse: the way there, the way back, and what changes on it. Used by upgrade.cpp. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "commands/checks.hpp"
#include "host/client.hpp"
#include "synapse/admin_client.hpp"

namespace steward::commands {

// What a release needs, and the oldest schema that can still open its database; by the table that comes with the bot.
struct Needs { int postgresql = 0, python_minor = 0, schema = 0, compat = 0; };
// nullopt: newer than the table.
std::optional<Needs> needs_of(const synapse::Version& version);
// "1.163: …" of the releases after `from` up to `to`, what an operator must know of them.
std::vector<std::string> notes_between(const synapse::Version& from, const synapse::Version& to);

// `state` is steward-host's. Bad: the upgrade is refused for it.
boost::asio::awaitable<Checks> check_upgrade(synapse::Version target, const host::Reply& state, command::Context& context);

}  // namespace steward::commands
