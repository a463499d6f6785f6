// Every command of the bot, one line each. Used by app (to run them) and main (to print them). Any thread.
#pragma once

#include <string_view>
#include <vector>

#include "command/command.hpp"

namespace steward::commands {

std::vector<command::Command> all_commands();

// The manual page of that name (commands/<name>.md); std::logic_error when there is none, which a test finds.
std::string_view manual(std::string_view name);

// General
command::Command freeze();
command::Command thaw();

// Rooms
command::Command clean_rooms();
command::Command list_rooms();
command::Command room();

// Jobs
command::Command jobs();
command::Command job();
command::Command log();
command::Command cancel();
command::Command pause();
command::Command resume();
command::Command retry();
command::Command yes();
command::Command no();

}  // namespace steward::commands
