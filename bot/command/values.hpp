// One word to one checked value, by the type of its argument. Used by parse.cpp only. Pure, any thread.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "command/spec.hpp"
#include "core/error.hpp"

namespace steward::command {

struct Surroundings {
  std::string_view server_name;
  std::string_view time_zone;
  std::set<std::string, std::less<>>
      reserved;  // words of commands and flags: as the name of a user they need their "@"
};

struct Value {
  std::string value;  // canonical, what Arguments holds
  std::string shown;  // what the canonical line shows; reads back as the same value
};

// bad_input says what is wrong with the word; `next` how to write it.
core::Result<Value> read_value(const Argument& argument, std::string_view word, bool quoted,
                               const Surroundings& surroundings);

// "an age like 30d", "a user like @name:server.org": for "expected …".
std::string expectation(const Argument& argument);
// What stands for the value in a usage line: "<age>", "SIZE".
std::string placeholder(const Argument& argument);
// "30 d": whether the second word is the unit of the first, a bare number.
bool is_unit_of(const Argument& argument, std::string_view number, std::string_view unit);

}  // namespace steward::command
