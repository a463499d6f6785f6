#include "command/command.hpp"

#include <algorithm>

namespace steward::command {

Table::Table(std::vector<Command> commands) : commands_(std::move(commands)) {
  specs_.reserve(commands_.size());
  for (const Command& command : commands_) specs_.push_back(&command.spec);
}

const Command* Table::find(std::string_view canonical_name) const {
  const auto found = std::find_if(commands_.begin(), commands_.end(),
                                  [&](const Command& command) { return command.spec.name == canonical_name; });
  return found == commands_.end() ? nullptr : &*found;
}

}  // namespace steward::command
