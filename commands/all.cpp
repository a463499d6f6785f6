#include "commands/all.hpp"

#include <stdexcept>
#include <string>

#include "commands/pages.hpp"

namespace steward::commands {

std::vector<command::Command> all_commands() {
  return {
      // General
      help(),
      status(),
      whoami(),
      settings(),
      allow(),
      deny(),
      freeze(),
      thaw(),
      version(),
      ping(),
      appservices(),
      audit(),
      // Rooms
      clean_rooms(),
      clean_redacted(),
      list_rooms(),
      room(),
      members(),
      room_state(),
      space(),
      extremities(),
      // Media
      purge_media(),
      purge_user_media(),
      media_usage(),
      list_media(),
      list_quarantined(),
      media(),
      check_media(),
      // Database
      database(),
      db_size(),
      db_growth(),
      db_bloat(),
      db_activity(),
      check_db(),
      query(),
      db_stop(),
      analyze(),
      vacuum(),
      reindex(),
      vacuum_full(),
      repack(),
      compress_state(),
      check_orphans(),
      clean_orphans(),
      check_state_groups(),
      clean_state_groups(),
      check_backup(),
      shrink(),
      // Server
      upgrade(),
      restart(),
      maintenance(),
      // Jobs
      jobs(),
      job(),
      log(),
      cancel(),
      pause(),
      resume(),
      retry(),
      yes(),
      no(),
      // Schedules, reports, alerts
      schedules(),
      add_schedule(),
      remove_schedule(),
      pause_schedule(),
      resume_schedule(),
      run_schedule(),
      policies(),
      add_policy(),
      remove_policy(),
      run_policy(),
      report(),
      alerts(),
      add_alert(),
      remove_alert(),
      acknowledge(),
      silence(),
  };
}

std::string_view manual(std::string_view name) {
  const std::string_view page = pages::text(name);
  if (page.empty()) throw std::logic_error("there is no manual page " + std::string(name));
  return page;
}

}  // namespace steward::commands
