#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "command/reading.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

bool is_space(char32_t c) {
  return c == U'\t' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

// Nobody sees them and nobody typed them on purpose. U+00AD (soft hyphen) is not here: it is a dash, so it is named
// instead.
bool is_unseen(char32_t c) {
  return (c >= 0x200b && c <= 0x200f) || c == 0x2060 || c == 0x061c || c == 0xfeff || c == 0xfe0f || c == 0xfe0e ||
         c == U'\r';
}

}  // namespace

std::string fold_characters(std::string_view text) {
  std::u32string folded;
  for (const char32_t c : core::to_code_points(text)) {
    if (is_space(c)) {
      folded += U' ';
    } else if (is_unseen(c)) {
      continue;
    } else if (c == 0x2028 || c == 0x2029 || c == 0x85) {
      folded += U'\n';
    } else if (c == U'“' || c == U'”' || c == U'„' || c == U'‟' || c == U'«' || c == U'»' || c == U'＂') {
      folded += U'"';
    } else if (c == U'‘' || c == U'’' || c == U'‚' || c == U'‛' || c == U'＇') {
      folded += U'\'';
    } else if (c == U'…') {
      folded += U"...";
    } else if (c >= U'０' && c <= U'９') {
      folded += static_cast<char32_t>(c - U'０' + U'0');
    } else {
      folded += c;
    }
  }
  return core::from_code_points(folded);
}

std::string_view without_reply_fallback(std::string_view body) {
  bool cut = false;
  while (body.starts_with("> ") || body == ">" || body.starts_with(">\n")) {
    const auto end = body.find('\n');
    if (end == std::string_view::npos) return {};
    body.remove_prefix(end + 1);
    cut = true;
  }
  if (cut && body.starts_with('\r')) body.remove_prefix(1);
  if (cut && body.starts_with('\n')) body.remove_prefix(1);
  return body;
}

bool is_known_dash(char32_t c) { return (c >= 0x2010 && c <= 0x2015) || c == 0x2212; }

bool is_strange_dash(char32_t c) {
  // Unicode's dash punctuation without U+002D and the known family, and signs drawn as a stroke.
  constexpr std::array<char32_t, 35> dashes{0x00ad, 0x00af, 0x02d7, 0x058a, 0x05be, 0x06d4, 0x1400,  0x1806, 0x2043,
                                            0x207b, 0x208b, 0x23af, 0x23e4, 0x2500, 0x2501, 0x2796,  0x2e0f, 0x2e17,
                                            0x2e1a, 0x2e3a, 0x2e3b, 0x2e40, 0x2e5d, 0x301c, 0x3030,  0x30a0, 0x30fc,
                                            0xfe31, 0xfe32, 0xfe58, 0xfe63, 0xff0d, 0xff70, 0x10d6e, 0x10ead};
  return std::find(dashes.begin(), dashes.end(), c) != dashes.end();
}

bool is_direction_override(char32_t c) { return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069); }

std::string code_point_name(char32_t c) { return fmt::format("U+{:04X}", static_cast<std::uint32_t>(c)); }

std::string masked(std::string_view text) {
  constexpr std::string_view borders = "=:,;\"'()<>[]{}|&?";
  constexpr std::string_view sigils = "!@#$";
  std::string out;
  for (const std::string& word : core::split(text, ' ')) {
    if (core::looks_secret(word)) {
      out += "***";
    } else if (word.starts_with("mxc://")) {
      out += word;
    } else {
      // Identifiers are public, however random they look; what hangs on them is not part of them.
      bool is_id = !word.empty() && sigils.find(word.front()) != std::string_view::npos;
      std::string_view rest = word;
      while (!rest.empty()) {
        const auto end = std::min(rest.find_first_of(borders), rest.size());
        out += !is_id && core::looks_secret(rest.substr(0, end)) ? "***" : rest.substr(0, end);
        if (end < rest.size()) out += rest[end];
        rest.remove_prefix(std::min(end + 1, rest.size()));
        is_id = false;
      }
    }
    out += ' ';
  }
  out.pop_back();  // split always gives at least one word
  return out;
}

std::string echo(std::string_view text) {
  const std::string safe = masked(text);
  return core::trim(safe).empty() ? "''" : '\'' + core::clean_name(safe) + '\'';
}

std::string fold_name(std::string_view name) {
  std::string folded;
  for (const char32_t c : core::to_code_points(name)) {
    if (c == U'_' || is_known_dash(c)) {
      folded += '-';
    } else {
      folded += core::from_code_points(std::u32string_view(&c, 1));
    }
  }
  return core::to_lower_ascii(folded);
}

}  // namespace steward::command
