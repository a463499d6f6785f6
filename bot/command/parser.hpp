// From what a person typed to a command with typed arguments, or to a clear refusal. Pure: no I/O, no state. Any thread.
// Grammar: COMMANDS.md. Phones: facts/matrix-protocol.md §3.5. Every word must be understood or nothing runs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "command/arguments.hpp"
#include "command/spec.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"

namespace steward::command {

// What a message says to the bot once phone typing is folded away.
struct Typed {
  std::string line;                     // without "!", mention, reply fallback; pills are ids; "purge-media 30d"
  std::vector<std::string> list_lines;  // a fenced code block under the command
  bool has_list = false;                // there is such a block, be it empty
  bool mentioned = false;               // by mention: the "!" is optional
  bool exclamation = false;
  std::optional<core::Error> problem = std::nullopt;  // more lines than understood: parse() says it if the word is a command
};

struct Speaker {
  core::UserId bot;
  std::string bot_display_name;
};

inline constexpr std::size_t longest_line = 8192;  // bytes; lists go into a code block

// nullopt: not addressed to the bot (chat, a bare room id, a mention of somebody else). bad_input: a line over longest_line.
// A message that is a command but not one we may run (two commands, text under it) comes back with its `problem`.
core::Result<std::optional<Typed>> read_message(std::string_view body, std::string_view formatted_body, const Speaker& speaker);

// A word with its place in the folded line. `quoted`: it began with a quote, so it is never a flag.
struct Word { std::string text; std::size_t start = 0, length = 0; bool quoted = false; };
// Splits at spaces, respects quotes (in "…" a backslash escapes " and \), folds dashes at the start of words. bad_input: an unclosed
// quote, an unknown dash, a character that turns the reading direction; the message names the code point.
core::Result<std::vector<Word>> tokenize(std::string_view line);
// The word as tokenize reads it back, in quotes where it needs them or `always`.
std::string quote(std::string_view word, bool always = false);

struct Parsed {
  const Spec* spec = nullptr;
  Arguments arguments;
  Level level = Level::reads;  // the spec's, or in its place the highest of the flags given; --dry-run always reads
  std::string line;            // canonical: "purge-media 30d --dry-run", secrets masked, long lists cut; for journal and audit
};
struct Unknown { std::vector<std::string> nearest; };  // empty: stay silent

// Finds the command (exact, `noun verb`, other number, alias; underscore = hyphen; case ignored) and reads its arguments.
// The exact name wins unless its argument cannot be the second word and both together name a command ("media purge 30d").
// bad_input: `what` is a line that says what is wrong, then the words with a caret under the wrong one (at most that word and
// two before it, what looks like a secret masked); `why` what was expected, `next` the nearest match.
// `server_name` completes "@alice" and "alice"; `time_zone` is the zone of dates.
using Outcome = std::variant<Parsed, Unknown, core::Error>;
Outcome parse(const Typed& typed, const std::vector<const Spec*>& specs, std::string_view server_name, std::string_view time_zone);

// The same for `org.matrix.msc4391.command`: {"command": "purge-media", "arguments": {"age": "30d", "dry_run": true}}.
// Keys are the names of the arguments, "_" = "-". bad_input: no such argument, a value of the wrong kind, not an object.
Outcome parse_structured(std::string_view json, const std::vector<const Spec*>& specs, std::string_view server_name,
                         std::string_view time_zone);

}  // namespace steward::command
