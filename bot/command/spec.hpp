// A command's declaration: one table drives parsing, help, error texts, completion, the reference page and --help.
// Used by commands (declares), parser, help. Plain data, any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace steward::command {

// Danger levels of COMMANDS.md; the numbers are shown to people.
enum class Level : int { reads = 0, reversible = 1, slows = 2, deletes = 3, destroys = 4 };
std::string_view word(Level level);  // "reads", "reversible", "slows", "deletes", "deletes for good"

enum class Group { general, jobs, media, rooms, users, abuse, database, server, schedules };
std::string_view name(Group group);

enum class Role { none = 0, reader = 1, operator_ = 2, admin = 3 };
std::string_view name(Role role);
std::optional<Role> parse_role(std::string_view text);

enum class Type { flag, word, text, age, size, integer, date, user, room, event, media, server, handle, command, choice };

struct Argument {
  enum class Kind { positional, option, flag };
  std::string name;   // "age", "min-size"
  Kind kind = Kind::positional;
  Type type = Type::word;
  std::string text;   // what it means, one line
  bool required = false;
  bool repeated = false;  // several words (positional), a comma list or several times (option), or a code block
  char letter = 0;        // "-n"
  std::vector<std::string> choices = {};
  // Giving it makes the command this level, in place of the spec's; several given: the highest of theirs. --dry-run wins.
  std::optional<Level> level = std::nullopt;
  bool bare_word = false;  // "dry" for --dry-run, "json", "csv", "chart": accepted without dashes where no positional fits
  std::string default_text = {};                              // what holds when it is not given, as a person would type it
  std::optional<std::chrono::seconds> minimum = std::nullopt;  // of Type::age: anything shorter is refused ("30m" of media)
  std::int64_t least = 0;                                      // of Type::integer
  std::string only_one_of = {};                                // of the arguments with the same word here only one may be given
};

Argument positional(std::string name, Type type, std::string text);           // required
Argument optional_positional(std::string name, Type type, std::string text);
Argument list_of(std::string name, Type type, std::string text);              // required, one or more, or a code block
Argument option(std::string name, Type type, std::string text);
Argument repeated_option(std::string name, Type type, std::string text, std::vector<std::string> choices = {});
Argument choice_option(std::string name, std::vector<std::string> choices, std::string text, std::string default_text = {});
Argument flag(std::string name, std::string text, std::optional<Level> level = std::nullopt);
// The flags that mean the same everywhere (COMMANDS.md Grammar 8).
namespace standard {
Argument dry_run();
Argument limit();
Argument page();
Argument as_json();
Argument as_csv();
Argument chart();
Argument reason();
}  // namespace standard

struct Example { std::string line, text; };

struct Spec {
  std::string name;                       // "purge-media"
  std::string alias = {};                 // "pm"
  Group group = Group::general;
  std::string summary;                    // "Delete media that nobody has opened for a while"
  Level level = Level::reads;
  Role role = Role::reader;               // least role; level 1–2 need operator, 3–4 admin unless stated higher
  bool personal_data = true;              // a reader gets only answers without personal data
  std::string safe_while_running;         // "yes", "yes; three requests to Synapse at a time"
  std::string sources;                    // "A", "S", "A S"
  std::vector<Argument> arguments = {};
  std::vector<Example> examples = {};
  bool control = false;   // acts at once, outside of the queue of jobs: yes, no, cancel, freeze, settings; allow once confirmed
  bool any_role = false;  // whoever has a role may, whatever the level: freeze, yes, no (judged by the plan's own level)
};

// The argument of that name, nullptr when the spec has none.
const Argument* find_argument(const Spec& spec, std::string_view name);

// Least role for the level and the spec's own word: level 1–2 operator, 3–4 admin, personal data operator; at least spec.role.
Role needed_role(const Spec& spec, Level level);
// The lowest and the highest level the spec can come to with its flags.
Level lowest_level(const Spec& spec);
Level highest_level(const Spec& spec);

}  // namespace steward::command
