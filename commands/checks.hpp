// A list of checks, each a line with its verdict, and the answer they make together. Used by the check- commands. Any thread.
#pragma once

#include <string>
#include <vector>

#include "command/command.hpp"

namespace steward::commands {

enum class Verdict { good, look, bad };

class Checks {
 public:
  void add(std::string name, Verdict verdict, std::string text);
  void must(std::string name, bool holds, std::string good, std::string bad);
  void should(std::string name, bool holds, std::string good, std::string look);
  // Each as a line "name: text", all of them or only what is wrong.
  std::vector<std::string> lines(bool only_bad) const;
  // "<about> · all checks pass", or how many do not; rings when one is bad.
  command::Answer answer(const std::string& about) const;
  // The same for a command with --csv and --json, which give `file`.csv.
  command::Answer answer(const command::Arguments& arguments, const std::string& about, const std::string& file) const;

 private:
  struct Check { std::string name; Verdict verdict; std::string text; };
  std::vector<Check> checks_;
};

}  // namespace steward::commands
