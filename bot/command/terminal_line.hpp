// A line from the terminal and how it is meant. Used by app (the control socket, exec) and the dispatcher. Any thread.
#pragma once

#include <string>

namespace steward::command {

struct TerminalLine {
  std::string text;      // with or without "!"
  bool yes = false;      // its own plan is confirmed
  bool as_data = false;  // for a program (--json): every row; else a person reads a page
};

}  // namespace steward::command
