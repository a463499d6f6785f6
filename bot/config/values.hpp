// From a YAML node to a typed value of a setting. Used by parse.cpp alone. I/O thread.
#pragma once

#include <expected>
#include <string>

#include "config/table.hpp"
#include "config/yaml.hpp"

namespace steward::config {

using Converted = std::expected<Value, std::string>;  // or what was expected and what was found

// `path` from the folder `base`, tidied; an absolute one stays.
std::string absolute(const std::string& path, const std::string& base);

Converted convert(const Setting& setting, const YAML::Node& node, const std::string& base);
Converted default_of(const Setting& setting, const std::string& base);

}  // namespace steward::config
