// Sizes as bars of text, at most 34 columns wide so that a phone does not break the lines: for --chart. Used by commands. Any thread.
#pragma once

#include <string>
#include <vector>

#include "core/units.hpp"

namespace steward::command {

struct Bar {
  std::string label;  // cut to its column; names from outside are cleaned
  core::Bytes size;
};

// The longest bar is the largest size. A zero has no bar. One line each, for Message::preformatted.
std::string size_bars(const std::vector<Bar>& bars);

}  // namespace steward::command
