// Reading YAML with line numbers, for the configuration, registrations and Synapse's own files. The only header with
// yaml-cpp; included by .cpp files of this folder and of app. Start-up, set-up and SIGHUP only, I/O thread.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace steward::config {

// The single document of `text`; an empty one is a null node. bad_input with the line, never with a piece of the text,
// which may be a secret.
core::Result<YAML::Node> read_yaml(std::string_view text);

// "line 4", counted from one.
std::string line_of(const YAML::Node& node);

// "a list", "a number or word" …, for "expected X, found Y".
std::string kind_of(const YAML::Node& node);

// `!abc` without quotes is a tag and `#abc` a comment, so the value that was meant is gone.
bool lost_its_value(const YAML::Node& node);

// True where Python's YAML reader (YAML 1.1, used by Synapse) takes the scalar for a text, not a number, boolean or
// null.
bool is_text_for_synapse(const YAML::Node& node);
bool is_boolean_for_synapse(const YAML::Node& node);
bool boolean_value(const YAML::Node& node);  // of a node for which the above is true

// In double quotes, escaped.
std::string quoted(std::string_view text);

// Keys written twice in this map: yaml-cpp keeps both, other readers the last, so nobody knows which one counts.
std::vector<std::string> doubled_keys(const YAML::Node& map);

}  // namespace steward::config
