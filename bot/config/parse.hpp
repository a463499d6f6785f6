// From YAML text to a Config with all problems found on the way. Behind load() and parse(). I/O thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace steward::config {

struct Parsed {
  Config config;
  std::vector<std::string> problems;
  std::vector<std::string> exposed;  // files with secrets that others can read, with the chmod that mends it
  bool inline_secret = false;        // the YAML itself holds a secret
};

// `base` is the folder that relative paths start from.
Parsed read_config(std::string_view yaml, const std::string& base,
                   const std::map<std::string, std::string>& environment);

// not_found, bad_input for a folder or a file over 1 MiB, not_allowed where this process may not read it.
core::Result<std::string> read_file(const std::string& path);

enum class Readers { owner, owner_and_group };
// The sentence with the chmod to run when more than `allowed` may read the file; empty when fine or absent.
std::string check_readers(const std::string& path, Readers allowed);

}  // namespace steward::config
