#include "command/spec.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace steward::command {

std::string_view word(Level level) {
  switch (level) {
    case Level::reads:
      return "reads";
    case Level::reversible:
      return "reversible";
    case Level::slows:
      return "slows";
    case Level::deletes:
      return "deletes";
    case Level::destroys:
      return "deletes for good";
  }
  return "";
}

std::string_view name(Group group) {
  switch (group) {
    case Group::general:
      return "general";
    case Group::jobs:
      return "jobs";
    case Group::media:
      return "media";
    case Group::rooms:
      return "rooms";
    case Group::users:
      return "users";
    case Group::abuse:
      return "abuse";
    case Group::database:
      return "database";
    case Group::server:
      return "server";
    case Group::schedules:
      return "schedules";
  }
  return "";
}

std::string_view name(Role role) {
  switch (role) {
    case Role::none:
      return "none";
    case Role::reader:
      return "reader";
    case Role::operator_:
      return "operator";
    case Role::admin:
      return "admin";
  }
  return "";
}

std::optional<Role> parse_role(std::string_view text) {
  const std::string lower = core::to_lower_ascii(text);
  for (const Role role : {Role::reader, Role::operator_, Role::admin})
    if (lower == name(role)) return role;
  return std::nullopt;
}

Argument positional(std::string name, Type type, std::string text) {
  Argument argument;
  argument.name = std::move(name);
  argument.type = type;
  argument.text = std::move(text);
  argument.required = true;
  return argument;
}

Argument optional_positional(std::string name, Type type, std::string text) {
  Argument argument = positional(std::move(name), type, std::move(text));
  argument.required = false;
  return argument;
}

Argument list_of(std::string name, Type type, std::string text) {
  Argument argument = positional(std::move(name), type, std::move(text));
  argument.repeated = true;
  return argument;
}

Argument option(std::string name, Type type, std::string text) {
  Argument argument = optional_positional(std::move(name), type, std::move(text));
  argument.kind = Argument::Kind::option;
  return argument;
}

Argument repeated_option(std::string name, Type type, std::string text, std::vector<std::string> choices) {
  Argument argument = option(std::move(name), type, std::move(text));
  argument.repeated = true;
  argument.choices = std::move(choices);
  return argument;
}

Argument choice_option(std::string name, std::vector<std::string> choices, std::string text, std::string default_text) {
  Argument argument = option(std::move(name), Type::choice, std::move(text));
  argument.choices = std::move(choices);
  argument.default_text = std::move(default_text);
  return argument;
}

Argument flag(std::string name, std::string text, std::optional<Level> level) {
  Argument argument = option(std::move(name), Type::flag, std::move(text));
  argument.kind = Argument::Kind::flag;
  argument.level = level;
  return argument;
}

namespace standard {
namespace {

Argument word_flag(std::string name, std::string text) {
  Argument argument = flag(std::move(name), std::move(text));
  argument.bare_word = true;
  return argument;
}

}  // namespace

Argument dry_run() {
  Argument argument = word_flag("dry-run", "only show what would happen");
  argument.letter = 'n';
  argument.level = Level::reads;
  return argument;
}

Argument limit() {
  Argument argument = option("limit", Type::integer, "at most this many");
  argument.least = 1;
  return argument;
}

Argument page() {
  Argument argument = option("page", Type::integer, "which page of a long list");
  argument.least = 1;
  return argument;
}

Argument as_json() {
  Argument argument = word_flag("json", "as a JSON file");
  argument.only_one_of = "file";
  return argument;
}

Argument as_csv() {
  Argument argument = word_flag("csv", "as a CSV file");
  argument.only_one_of = "file";
  return argument;
}

Argument chart() { return word_flag("chart", "with a chart"); }
Argument reason() { return option("reason", Type::text, "why, kept in the audit log"); }

}  // namespace standard

const Argument* find_argument(const Spec& spec, std::string_view name) {
  const auto found = std::find_if(spec.arguments.begin(), spec.arguments.end(),
                                  [&](const Argument& argument) { return argument.name == name; });
  return found == spec.arguments.end() ? nullptr : &*found;
}

Role needed_role(const Spec& spec, Level level) {
  if (spec.any_role) return Role::reader;
  Role needed = spec.role;
  if (level == Level::reads && spec.personal_data) needed = std::max(needed, Role::operator_);
  if (level >= Level::reversible) needed = std::max(needed, Role::operator_);
  if (level >= Level::deletes) needed = std::max(needed, Role::admin);
  return needed;
}

Level lowest_level(const Spec& spec) {
  Level level = spec.level;
  for (const Argument& argument : spec.arguments)
    if (argument.level) level = std::min(level, *argument.level);
  return level;
}

Level highest_level(const Spec& spec) {
  Level level = spec.level;
  for (const Argument& argument : spec.arguments)
    if (argument.level) level = std::max(level, *argument.level);
  return level;
}

}  // namespace steward::command
