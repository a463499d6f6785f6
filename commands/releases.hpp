// How far a Synapse is behind the newest release this bot knows. It comes with the bot: nobody outside is asked. Used by version.cpp
// (defines it) and report_figures.cpp. Pure.
#pragma once

#include <string>

#include "synapse/admin_client.hpp"

namespace steward::commands {

// The newest release when this bot was made.
const synapse::Version& newest_release();
// "2 releases behind 1.163.2"
std::string releases_behind(const synapse::Version& running);

}  // namespace steward::commands
