// Everything that is printed from the table of commands: help cards, the reference page, the README's list, JSON.
// Used by commands/help.cpp, main (`steward commands`) and scripts. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "command/spec.hpp"
#include "matrix/message.hpp"

namespace steward::command {

inline constexpr int most_lines = 18;  // of a card: one screen of a phone

std::string usage(const Spec& spec);  // "!purge-media <age> [--remote] [--min-size SIZE]"
// One screen (at most most_lines at 40 columns): the commands that `role` may use, by group.
matrix::Message overview(const std::vector<const Spec*>& specs, Role role);
matrix::Message group_help(Group group, const std::vector<const Spec*>& specs);
// `manual` is the command's .md page: a first paragraph (what it does), then paragraphs with a bold label ("**Kept:** …").
// Usage, flags, examples, level and "safe while Synapse runs" come from the spec.
matrix::Message command_help(const Spec& spec, std::string_view manual);
// "media" or "Media"; nullopt: no group of that name.
std::optional<Group> parse_group(std::string_view text);

std::string reference_markdown(const std::vector<const Spec*>& specs);  // the README's generated list
// `steward commands --json`: [{name, aliases, group, level, arguments, flags, sources, safe_while_running, summary}].
std::string commands_json(const std::vector<const Spec*>& specs);

}  // namespace steward::command
