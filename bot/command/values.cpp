#include "command/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "command/html_text.hpp"
#include "command/reading.hpp"
#include "core/ids.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::command {
namespace {

using Outcome = core::Result<Value>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

Outcome same(std::string_view word) { return Value{std::string(word), std::string(word)}; }

std::unexpected<core::Error> refuse(std::string_view word, const Argument& argument, std::string why = {}) {
  return core::fail(core::Code::bad_input, fmt::format("{} is not {}", echo(word), expectation(argument)),
                    std::move(why));
}

// "r3" of the list last shown, "u2", "m5".
bool is_handle(std::string_view word, char letter) {
  return word.size() >= 2 && word.size() <= 6 && (word[0] == letter || word[0] == letter - 'a' + 'A') &&
         all_digits(word.substr(1));
}

Outcome read_age(const Argument& argument, std::string_view word) {
  auto age = core::parse_duration(word);
  const bool days_only = argument.minimum && *argument.minimum >= std::chrono::hours(24);
  const auto digits = word.substr(0, word.find_first_not_of("0123456789"));
  // Where minutes are refused anyway, the second reading of "30" is not 30 minutes.
  const std::string readings = fmt::format("Write {0}d for {0} days or {0}mo for {0} months.",
                                           core::clean_name(digits.empty() ? "30" : digits, 12));
  if (!age) {
    if (days_only && all_digits(word)) age.error().next = readings;
    return core::fail(age.error());
  }
  if (argument.minimum && *age < *argument.minimum) {
    return core::fail(core::Code::bad_input, fmt::format("{} is too short for <{}>", echo(word), argument.name),
                      fmt::format("it is {}, and the least is {}; m means minutes, months are mo",
                                  core::format_age(*age), core::format_age(*argument.minimum)),
                      days_only ? readings : "");
  }
  return same(core::to_lower_ascii(word));
}

Outcome read_size(std::string_view word) {
  const auto size = core::parse_size(word);
  if (!size) return core::fail(size.error());
  return same(word);
}

Outcome read_integer(const Argument& argument, std::string_view word) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (word.empty() || problem != std::errc{} || end != word.data() + word.size()) return refuse(word, argument);
  if (number < argument.least) return refuse(word, argument, fmt::format("the least is {}", argument.least));
  return same(fmt::format("{}", number));
}

Outcome read_date(std::string_view word, const Surroundings& surroundings) {
  const auto time = core::parse_date(word, surroundings.time_zone);
  if (!time) return core::fail(time.error());
  return Value{fmt::format("{}", core::to_unix_ms(*time)), std::string(word)};
}

bool is_local_name(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._=/+-").find(c) != std::string_view::npos;
  }) && word.front() != '-';
}

Outcome read_user(const Argument& argument, std::string_view word, bool quoted, const Surroundings& surroundings) {
  if (word == "this" || is_handle(word, 'u')) return same(core::to_lower_ascii(word));
  std::string id(word);
  if (const auto link = read_link(word)) id = link->id;
  if (!id.starts_with('@')) {
    if (!is_local_name(id)) return refuse(word, argument);
    if (!quoted && surroundings.reserved.contains(core::to_lower_ascii(id))) {
      return refuse(word, argument, "it is a word of the bot's commands");
    }
    id.insert(0, "@");
  }
  if (id.find(':') == std::string::npos) id += fmt::format(":{}", surroundings.server_name);
  const auto user = core::parse_user_id(id);
  if (!user) return refuse(word, argument);
  return same(user->str());
}

Outcome read_room(const Argument& argument, std::string_view word, const Surroundings& surroundings) {
  if (word == "this") return refuse(word, argument, "`this` is the message replied to, and no room");
  if (is_handle(word, 'r')) return same(core::to_lower_ascii(word));
  std::string id(word);
  if (const auto link = read_link(word)) id = link->id;
  if (id.starts_with('#')) {
    if (id.find(':') == std::string::npos) id += fmt::format(":{}", surroundings.server_name);
    const auto alias = core::parse_room_alias(id);
    if (!alias) return refuse(word, argument);
    return same(alias->str());
  }
  const auto room = core::parse_room_id(id);
  if (!room) return refuse(word, argument);
  return same(room->str());
}

Outcome read_event(const Argument& argument, std::string_view word) {
  if (word == "this") return same(word);
  std::string id(word);
  if (const auto link = read_link(word)) id = link->event;
  const auto event = core::parse_event_id(id);
  if (!event) return refuse(word, argument);
  return same(event->str());
}

// A link to download a file names it: …/_matrix/media/v3/download/<server>/<id>, …/_matrix/client/v1/media/thumbnail/…
std::string media_of_download(std::string_view url) {
  for (const std::string_view part : {"/download/", "/thumbnail/"}) {
    const auto at = url.find(part);
    if (at == std::string_view::npos || url.find("/_matrix/") == std::string_view::npos) continue;
    const auto rest = core::split(url.substr(at + part.size()), '/');
    if (rest.size() >= 2) return "mxc://" + rest[0] + "/" + rest[1].substr(0, rest[1].find('?'));
  }
  return std::string(url);
}

Outcome read_media(const Argument& argument, std::string_view word) {
  if (word == "this" || is_handle(word, 'm')) return same(core::to_lower_ascii(word));
  if (const auto link = read_link(word); link && !link->event.empty()) return same(link->event);
  if (word.starts_with('$') && core::parse_event_id(word)) return same(word);
  const auto media = core::parse_media_id(media_of_download(word));
  if (!media) return refuse(word, argument);
  return same(media->str());
}

Outcome read_choice(const Argument& argument, std::string_view word) {
  const std::string choice = fold_name(word);
  if (std::find(argument.choices.begin(), argument.choices.end(), choice) != argument.choices.end())
    return same(choice);
  const auto near = core::nearest(choice, argument.choices);
  return core::fail(core::Code::bad_input, fmt::format("{} is no choice of {}", echo(word), argument.name),
                    "the choices are " + core::join(argument.choices, ", "),
                    near ? fmt::format("Did you mean `{}`?", *near) : "");
}

Outcome read_word(const Argument& argument, std::string_view word, bool quoted) {
  if (word.empty() || (!quoted && word.front() == '-')) return refuse(word, argument);
  if (!argument.choices.empty()) return read_choice(argument, word);
  return same(word);
}

Outcome read_handle(const Argument& argument, std::string_view word) {
  for (const char letter : {'r', 'u', 'm'})
    if (is_handle(word, letter)) return same(core::to_lower_ascii(word));
  return refuse(word, argument);
}

}  // namespace

core::Result<Value> read_value(const Argument& argument, std::string_view word, bool quoted,
                               const Surroundings& surroundings) {
  // Errors of core repeat the word; a token pasted into the wrong place never gets that far.
  const bool any_text = argument.type == Type::word || argument.type == Type::text || argument.type == Type::command;
  const bool names_something = argument.type == Type::media || word.find_first_of("@!#$") == 0 || read_link(word);
  if (!any_text && !names_something && masked(word) != word) return refuse(word, argument);
  switch (argument.type) {
    case Type::flag:
      return refuse(word, argument);
    case Type::word:
    case Type::text:
    case Type::command:
      return read_word(argument, word, quoted);
    case Type::age:
      return read_age(argument, word);
    case Type::size:
      return read_size(word);
    case Type::integer:
      return read_integer(argument, word);
    case Type::date:
      return read_date(word, surroundings);
    case Type::user:
      return read_user(argument, word, quoted, surroundings);
    case Type::room:
      return read_room(argument, word, surroundings);
    case Type::event:
      return read_event(argument, word);
    case Type::media:
      return read_media(argument, word);
    case Type::server:
      if (!core::is_server_name(word)) return refuse(word, argument);
      return same(word);
    case Type::handle:
      return read_handle(argument, word);
    case Type::choice:
      return read_choice(argument, word);
  }
  return refuse(word, argument);
}

std::string expectation(const Argument& argument) {
  switch (argument.type) {
    case Type::flag:
      return "a flag";
    case Type::word:
      return fmt::format("a word for <{}>", argument.name);
    case Type::text:
      return fmt::format("a text for <{}>", argument.name);
    case Type::age:
      return "an age like 30d";
    case Type::size:
      return "a size like 10M";
    case Type::integer:
      return argument.least > 0 ? fmt::format("a whole number from {}", argument.least) : "a whole number";
    case Type::date:
      return "a date like 2026-01-31";
    case Type::user:
      return "a user like @name";
    case Type::room:
      return "a room (!id, #alias or a handle like r3)";
    case Type::event:
      return "a message ($id, a link, or `this` in a reply)";
    case Type::media:
      return "a file (mxc://…, a link, a handle like m5, or `this` in a reply)";
    case Type::server:
      return "a server name like example.org";
    case Type::handle:
      return "a handle like r3";
    case Type::command:
      return "a command";
    case Type::choice:
      return "one of " + core::join(argument.choices, ", ");
  }
  return "";
}

std::string placeholder(const Argument& argument) {
  switch (argument.type) {
    case Type::age:
      return "AGE";
    case Type::size:
      return "SIZE";
    case Type::integer:
      return "N";
    case Type::date:
      return "DATE";
    case Type::user:
      return "@USER";
    case Type::room:
      return "ROOM";
    case Type::event:
      return "EVENT";
    case Type::media:
      return "FILE";
    case Type::server:
      return "SERVER";
    case Type::text:
      return "\"TEXT\"";
    case Type::choice:
      return core::join(argument.choices, "|");
    default:
      return argument.choices.empty() ? "WORD" : core::join(argument.choices, "|");
  }
}

bool is_unit_of(const Argument& argument, std::string_view number, std::string_view unit) {
  constexpr std::array<std::string_view, 9> ages{"s", "m", "min", "h", "d", "w", "mo", "y", ""};
  constexpr std::array<std::string_view, 9> sizes{"b", "k", "kb", "m", "mb", "g", "gb", "t", "tb"};
  if (!all_digits(number) || unit.empty()) return false;
  const std::string lower = core::to_lower_ascii(unit);
  const auto among = [&](const auto& names) { return std::find(names.begin(), names.end(), lower) != names.end(); };
  if (argument.type == Type::age) return unit != "M" && among(ages);
  return argument.type == Type::size && among(sizes);
}

}  // namespace steward::command
