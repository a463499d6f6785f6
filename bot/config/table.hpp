// The rows behind settings(): each setting with the place in Config that it fills. Shared by parse, compare and manual.
// Start-up and SIGHUP only, I/O thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace steward::config {

// A value after its type was checked: durations in seconds, paths made absolute.
using Value = std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>>;

struct Row {
  Setting setting;
  std::string_view example;  // what the example file shows; empty: the default, commented out
  // Puts the value into the Config; gives what is wrong with it, empty when it is fine. Never repeats a secret.
  std::string (*store)(Config&, const Value&);
  // The value as text, for compare() only: it may be a secret.
  std::string (*show)(const Config&);
};
const std::vector<Row>& rows();

}  // namespace steward::config
