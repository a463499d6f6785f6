// Which command a line means, by its first one or two words. Used by parse.cpp and by !help. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "command/spec.hpp"

namespace steward::command {

struct Match {
  const Spec* spec = nullptr;  // nullptr: none
  std::size_t words = 0;       // how many words of the line name it
};

// The first two words, folded as names ("Clean_Rooms" → "clean-rooms"); fewer when the line has fewer.
std::vector<std::string> first_names(std::string_view line);

Match find_exact(const std::vector<std::string>& names, const std::vector<const Spec*>& specs);  // name or alias
Match find_joined(const std::vector<std::string>& names,
                  const std::vector<const Spec*>& specs);  // "rooms clean", "clean rooms"
Match find_other_number(const std::vector<std::string>& names, const std::vector<const Spec*>& specs);  // "clean-room"
// All of the above in their order.
Match find_command(const std::vector<std::string>& names, const std::vector<const Spec*>& specs);
// Names within two steps of what was typed; empty: nothing near.
std::vector<std::string> nearest_names(const std::vector<std::string>& names, const std::vector<const Spec*>& specs);

}  // namespace steward::command
