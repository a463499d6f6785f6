// What may be asked of steward-host, word by word: a verb, and a version for `upgrade`. Nothing else gets past read_request().
// Used by the second program (reads) and by its client in the bot (writes). Pure, any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace steward::host {

// `dump` and `state` only read; they are answered while something else runs.
enum class Verb { stop, start, restart, backup, disk, upgrade, dump, state };
std::string_view name(Verb verb);
const std::vector<Verb>& verbs();

inline constexpr std::size_t longest_request = 64;

struct Request {
  Verb verb = Verb::state;
  std::string version = {};  // of upgrade: digits and dots
  std::string text() const;
};

// "1.163.2": two to four numbers with dots between, nothing before or after.
bool is_version(std::string_view text);
// bad_input names what was expected; never repeats the text.
core::Result<Request> read_request(std::string_view line);

// The last line of an answer; the lines before it start with "say ".
struct Ending {
  enum class Kind { done, refused, failed };  // refused: nothing was touched
  Kind kind = Kind::done;
  std::string text = {};
};
std::string_view name(Ending::Kind kind);
std::string ending_line(const Ending& ending);
std::optional<Ending> read_ending(std::string_view line);
Ending done(std::string text);
Ending refused(std::string text);
Ending failed(std::string text);

}  // namespace steward::host
