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
  std::string line;                     // without "!", mention, reply fallback; "purge-media 30d"
  std::vector<std::string> list_lines;  // a fenced code block under the command
  bool mentioned = false;               // by mention: the "!" is optional
  bool exclamation = false;
  std::vector<std::pair<std::string, std::string>> links;  // pills and matrix.to links of formatted_body: shown text → target
};

struct Speaker {
  core::UserId bot;
  std::string bot_display_name;
};

// nullopt: not addressed to the bot (chat, a bare room id, an emote-like line). bad_input: more than one command, an
// unknown dash (names the code point), a body over 64 KB.
core::Result<std::optional<Typed>> read_message(std::string_view body, std::string_view formatted_body, const Speaker& speaker);

// A word with its place in the line, for the caret.
struct Word { std::string text; std::size_t start = 0, length = 0; bool quoted = false; };
// Splits at spaces, respects quotes, folds dashes at the start of words. bad_input: an unclosed quote, an unknown dash.
core::Result<std::vector<Word>> tokenize(std::string_view line);

struct Parsed {
  const Spec* spec = nullptr;
  Arguments arguments;
  Level level = Level::reads;  // the spec's, raised or lowered by flags
  std::string line;            // canonical: "purge-media 30d --dry-run", secrets masked; for journal and audit
};
struct Unknown { std::vector<std::string> nearest; };  // empty: stay silent
struct Plain { std::string word; };                     // yes, no, remote, both, more …: plain words, only while something waits

// Finds the command (exact, `noun verb`, other number, alias; underscore = hyphen; case ignored) and reads its arguments.
// bad_input: the message repeats the line with a caret under the word (at most that word and two before it, what looks like
// a secret masked), says what was expected and the nearest match.
using Outcome = std::variant<Parsed, Unknown, core::Error>;
Outcome parse(const Typed& typed, const std::vector<const Spec*>& specs, std::string_view server_name, std::string_view time_zone);

}  // namespace steward::command
