#include "commands/all.hpp"

#include <stdexcept>
#include <string>

#include "commands/pages.hpp"

namespace steward::commands {

std::vector<command::Command> all_commands() {
  return {
      // General
      freeze(),
      thaw(),
      // Rooms
      clean_rooms(),
      list_rooms(),
      room(),
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
  };
}

std::string_view manual(std::string_view name) {
  const std::string_view page = pages::text(name);
  if (page.empty()) throw std::logic_error("there is no manual page " + std::string(name));
  return page;
}

}  // namespace steward::commands
