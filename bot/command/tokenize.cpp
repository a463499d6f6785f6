// tokenize and quote: a line to words and back.
#include <fmt/format.h>

#include "command/parser.hpp"
#include "command/reading.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

bool is_letter(char32_t c) { return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z'); }
bool is_gap(char32_t c) { return c == U' ' || c == U'\n' || c == U'\t'; }

core::Error strange(char32_t c, std::string what, std::string next) {
  return {core::Code::bad_input,
          fmt::format("{} ({}) {}", what, code_point_name(c), "is not understood"),
          "nothing was run, because the line could mean something else than it shows",
          std::move(next),
          {}};
}

class Splitter {
 public:
  explicit Splitter(std::u32string_view points) : points_(points) {}

  core::Result<std::vector<Word>> split() {
    for (const char32_t c : points_) {
      if (is_direction_override(c))
        return core::fail(
            strange(c, "A character that turns the reading direction", "Type the line again without it."));
      if (c < 0x20 && !is_gap(c))
        return core::fail(strange(c, "A control character", "Type the line again without it."));
    }
    while (true) {
      while (at_ < points_.size() && is_gap(points_[at_])) ++at_;
      if (at_ >= points_.size()) return std::move(words_);
      const std::size_t start = at_;
      const bool quoted = points_[at_] == U'"' || points_[at_] == U'\'';
      std::u32string text;
      if (auto problem = quoted ? read_quoted(text) : read_plain(text)) return core::fail(std::move(*problem));
      words_.push_back({core::from_code_points(text), bytes(0, start), bytes(start, at_), quoted});
    }
  }

 private:
  std::size_t bytes(std::size_t from, std::size_t to) const {
    return core::from_code_points(points_.substr(from, to - from)).size();
  }

  std::optional<core::Error> read_quoted(std::u32string& text) {
    const char32_t mark = points_[at_++];
    while (at_ < points_.size() && points_[at_] != mark) {
      const bool escape = mark == U'"' && points_[at_] == U'\\' && at_ + 1 < points_.size() &&
                          (points_[at_ + 1] == U'"' || points_[at_ + 1] == U'\\');
      if (escape) ++at_;
      text += points_[at_++];
    }
    if (at_ >= points_.size()) {
      return core::Error{core::Code::bad_input,
                         "A quote is not closed",
                         fmt::format("it starts before {}", echo(core::from_code_points(text))),
                         "Close it, or leave it out where the value has no spaces.",
                         {}};
    }
    ++at_;
    if (at_ < points_.size() && !is_gap(points_[at_])) {
      return core::Error{core::Code::bad_input,
                         "There is text right behind a closing quote",
                         {},
                         "Put a space between them, or all of it into the quotes.",
                         {}};
    }
    return std::nullopt;
  }

  std::optional<core::Error> read_plain(std::u32string& text) {
    if (auto problem = read_dashes(text)) return problem;
    while (at_ < points_.size() && !is_gap(points_[at_])) {
      const char32_t c = points_[at_];
      const bool opens = (c == U'"' || c == U'\'') && text.ends_with(U'=') && text.starts_with(U'-');
      if (opens) return read_quoted(text);
      text += c;
      ++at_;
    }
    return std::nullopt;
  }

  // The dashes a word starts with: what a phone made of "-" and "--" is put back, what nobody can be sure of is named.
  std::optional<core::Error> read_dashes(std::u32string& text) {
    const std::size_t start = at_;
    bool by_phone = false;
    while (at_ < points_.size() &&
           (points_[at_] == U'-' || is_known_dash(points_[at_]) || is_strange_dash(points_[at_]))) {
      if (is_strange_dash(points_[at_]))
        return strange(points_[at_], "A dash",
                       "Type the flag with two hyphens, for example --dry-run, or put the text into quotes.");
      by_phone = by_phone || points_[at_] != U'-';
      ++at_;
    }
    const std::u32string_view dashes = points_.substr(start, at_ - start);
    const bool two_letters =
        at_ + 1 < points_.size() && is_letter(points_[at_]) && !is_gap(points_[at_ + 1]) && points_[at_ + 1] != U'=';
    const bool one_character = at_ < points_.size() && !is_gap(points_[at_]);
    if (!by_phone)
      text = std::u32string(dashes);
    else if (two_letters)
      text = U"--";
    else if (one_character)
      text = U"-";
    else
      text = std::u32string(dashes);
    return std::nullopt;
  }

  std::u32string_view points_;
  std::size_t at_ = 0;
  std::vector<Word> words_;
};

}  // namespace

core::Result<std::vector<Word>> tokenize(std::string_view line) {
  const std::u32string points = core::to_code_points(fold_characters(line));
  return Splitter(points).split();
}

std::string quote(std::string_view word, bool always) {
  const std::u32string points = core::to_code_points(word);
  bool plain = !always && !points.empty() && points.front() != U'-' && points.front() != U'\'' &&
               !is_known_dash(points.front()) && !is_strange_dash(points.front());
  for (const char32_t c : points) plain = plain && !is_gap(c) && c != U'"';
  if (plain) return std::string(word);
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

}  // namespace steward::command
