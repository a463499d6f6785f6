// Declarations that stand for the whole command set in the tests of the frame: every kind of argument occurs once.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "command/parser.hpp"

namespace steward::command::samples {

inline Spec named(std::string name, Group group, Level level, std::vector<Argument> arguments, std::string alias = {}) {
  Spec spec;
  spec.name = std::move(name);
  spec.alias = std::move(alias);
  spec.group = group;
  spec.level = level;
  spec.summary = "What it does in one line";
  spec.safe_while_running = "yes";
  spec.sources = "A S";
  spec.arguments = std::move(arguments);
  return spec;
}

inline std::vector<Spec> make() {
  Argument media_age = positional("age", Type::age, "not opened for this long");
  media_age.minimum = std::chrono::hours(24);
  Argument local = flag("local", "local media");
  Argument remote = flag("remote", "the cache of other servers' media", Level::slows);
  Argument both = flag("both", "both");
  local.only_one_of = remote.only_one_of = both.only_one_of = "where";
  const Argument older = [] {
    Argument argument = option("older", Type::age, "only rooms older than this");
    argument.default_text = "30d";
    return argument;
  }();
  return {
      named("purge-media", Group::media, Level::deletes,
            {media_age, local, remote, both, option("min-size", Type::size, "only larger files"),
             option("user", Type::user, "only this person's"), standard::dry_run(), standard::as_csv()},
            "pm"),
      named("clean-rooms", Group::rooms, Level::destroys,
            {older, standard::limit(), repeated_option("keep", Type::room, "rooms to keep"),
             repeated_option("include", Type::choice, "kinds", {"left", "aliased", "published"}),
             choice_option("method", {"api", "hybrid", "offline"}, "how", "api"),
             flag("force", "even so", Level::destroys), standard::reason(), standard::dry_run(), standard::as_csv(),
             standard::as_json()},
            "cr"),
      named("room", Group::rooms, Level::reads, {positional("room", Type::room, "which")}),
      named("media", Group::media, Level::reads, {positional("file", Type::media, "which")}),
      named("delete-rooms", Group::rooms, Level::deletes,
            {list_of("rooms", Type::room, "which"), flag("block", "and block"), standard::dry_run()}),
      named("user", Group::users, Level::reads, {positional("user", Type::user, "who")}),
      named("suspend-user", Group::users, Level::reversible, {positional("user", Type::user, "who")}),
      named("list-rooms", Group::rooms, Level::reads,
            {optional_positional("text", Type::text, "part of the name"), flag("empty", "without members"),
             standard::as_json()},
            "lr"),
      named("list-media", Group::media, Level::reads,
            {optional_positional("user", Type::user, "whose"), optional_positional("room", Type::room, "where"),
             standard::as_json(), standard::dry_run()}),
      named("event", Group::rooms, Level::reads, {positional("event", Type::event, "which")}),
      named("server", Group::abuse, Level::reads, {positional("server", Type::server, "which")}),
      named("job", Group::jobs, Level::reads, {positional("number", Type::integer, "which")}),
      named("vacuum", Group::database, Level::slows,
            {optional_positional("table", Type::word, "which table"), standard::dry_run()}),
      named("report", Group::schedules, Level::reads,
            {[] {
               Argument argument = optional_positional("kind", Type::choice, "which");
               argument.choices = {"daily", "weekly"};
               return argument;
             }(),
             standard::chart(), option("since", Type::date, "from this day on")}),
      named("maintenance", Group::server, Level::destroys,
            {positional("command", Type::command, "what to run"), standard::dry_run()}),
      named("help", Group::general, Level::reads, {optional_positional("topic", Type::text, "what about")}, "h"),
  };
}

inline const std::vector<const Spec*>& specs() {
  static const std::vector<Spec> all = make();
  static const std::vector<const Spec*> pointers = [] {
    std::vector<const Spec*> found;
    for (const Spec& spec : all) found.push_back(&spec);
    return found;
  }();
  return pointers;
}

inline const Speaker& speaker() {
  static const Speaker bot{core::UserId("@steward:hs.test"), "Steward (x)"};
  return bot;
}

inline Outcome parse_line(std::string line) {
  Typed typed;
  typed.line = std::move(line);
  return parse(typed, specs(), "hs.test", "Europe/Berlin");
}

// A whole message of the room: nullopt when the bot stays silent.
inline std::optional<Outcome> parse_message(std::string_view body, std::string_view formatted = {}) {
  const auto typed = read_message(body, formatted, speaker());
  if (!typed) return Outcome{typed.error()};
  if (!*typed) return std::nullopt;
  Outcome outcome = parse(**typed, specs(), "hs.test", "UTC");
  if (const auto* unknown = std::get_if<Unknown>(&outcome); unknown != nullptr && unknown->nearest.empty())
    return std::nullopt;
  return outcome;
}

// "purge-media 30d", "? purge-media" (nearest), "! what is wrong", or "" for silence.
inline std::string told(const std::optional<Outcome>& outcome) {
  if (!outcome) return "";
  if (const auto* parsed = std::get_if<Parsed>(&*outcome)) return parsed->line;
  if (const auto* unknown = std::get_if<Unknown>(&*outcome)) {
    std::string names = "?";
    for (const std::string& name : unknown->nearest) names += " " + name;
    return names;
  }
  return "! " + core::describe(std::get<core::Error>(*outcome));
}

}  // namespace steward::command::samples
