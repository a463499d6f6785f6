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
command::Command help();
command::Command whoami();
command::Command settings();
command::Command allow();
command::Command deny();
command::Command freeze();
command::Command thaw();
command::Command status();
command::Command version();
command::Command ping();
command::Command appservices();
command::Command audit();

// Rooms
command::Command clean_rooms();
command::Command clean_redacted();
command::Command list_rooms();
command::Command room();
command::Command members();
command::Command room_state();
command::Command space();
command::Command extremities();

// Media
command::Command purge_media();
command::Command purge_user_media();
command::Command media_usage();
// list_media.cpp
command::Command list_media();
command::Command list_quarantined();
command::Command media();
// check_media.cpp
command::Command check_media();

// Database
command::Command database();
command::Command db_size();
command::Command db_growth();
command::Command db_bloat();
command::Command db_activity();
command::Command check_db();
command::Command query();
command::Command db_stop();
command::Command analyze();
command::Command vacuum();
command::Command reindex();
command::Command vacuum_full();
command::Command repack();
command::Command compress_state();
command::Command check_orphans();
command::Command clean_orphans();
command::Command check_state_groups();
command::Command clean_state_groups();

command::Command check_backup();
// shrink.cpp
command::Command shrink();

// Server
command::Command upgrade();
command::Command restart();
command::Command maintenance();

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
// schedules.cpp
command::Command schedules();
command::Command add_schedule();
command::Command remove_schedule();
command::Command pause_schedule();
command::Command resume_schedule();
command::Command run_schedule();
// policies.cpp
command::Command policies();
command::Command add_policy();
command::Command remove_policy();
command::Command run_policy();
// report.cpp
command::Command report();
// alerts.cpp
command::Command alerts();
command::Command add_alert();
command::Command remove_alert();
command::Command acknowledge();
command::Command silence();

}  // namespace steward::commands
