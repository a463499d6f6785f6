// Everything that is printed from the table of commands: help cards, the reference page, the README's list, JSON, and the
// MSC4391 descriptions. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "command/spec.hpp"
#include "matrix/message.hpp"

namespace steward::command {

std::string usage(const Spec& spec);  // "!purge-media <age> [--remote] [--min-size SIZE]"
matrix::Message overview(const std::vector<const Spec*>& specs, Role role);           // one screen (≤ 18 lines)
matrix::Message group_help(Group group, const std::vector<const Spec*>& specs);
// `manual` is the command's .md page: usage, what it does, effects, examples, level, safe while Synapse runs?
matrix::Message command_help(const Spec& spec, std::string_view manual);
std::string reference_markdown(const std::vector<const Spec*>& specs);                // the README's generated list
std::string commands_json(const std::vector<const Spec*>& specs);                     // `steward commands --json`

}  // namespace steward::command
