#include "core/statement_text.hpp"

#include <optional>

namespace steward::core {
namespace {

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool in_name(char c) { return starts_name(c) || is_digit(c) || c == '$'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

// Each reader stands on the first character of its thing and gives the place behind it; nullopt: it has no certain end.
using End = std::optional<std::size_t>;

// '…' with '' for a quote. In an E'…' a backslash hides the next character; in a plain one it does so only under an old
// setting: a backslash right before a quote leaves the end open.
End end_of_string(std::string_view text, std::size_t at, bool escapes) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      if (escapes) ++at;
      else if (at + 1 < text.size() && (text[at + 1] == '\'' || text[at + 1] == '\\')) return std::nullopt;
    } else if (text[at] == '\'') {
      if (at + 1 >= text.size() || text[at + 1] != '\'') return at + 1;
      ++at;
    }
  }
  return std::nullopt;
}

End end_of_identifier(std::string_view text, std::size_t at) {
  const std::size_t end = text.find('"', at + 1);
  if (end == std::string_view::npos) return std::nullopt;
  return end + 1;
}

// /* … */, which nest.
End end_of_comment(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at + 1 < text.size()) {
    const std::string_view two = text.substr(at, 2);
    if (two == "/*") ++depth;
    else if (two == "*/") --depth;
    else { ++at; continue; }
    at += 2;
    if (depth == 0) return at;
  }
  return std::nullopt;
}

// "$tag$" at this place, or nothing: then it is a lone dollar.
std::string_view dollar_tag(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && in_name(text[end]) && text[end] != '$') ++end;
  if (end >= text.size() || text[end] != '$') return {};
  return text.substr(at, end + 1 - at);
}

class Stripper {
 public:
  explicit Stripper(std::string_view text) : text_(text) {}

  std::string run() {
    while (at_ < text_.size() && step()) {
    }
    if (at_ < text_.size()) word("…");
    return std::move(shown_);
  }

 private:
  // Reads one thing; false when nothing behind it can be trusted.
  bool step() {
    const char c = text_[at_];
    if (is_blank(c)) {
      blank_ = true;
      ++at_;
      return true;
    }
    if (text_.substr(at_, 2) == "--") return comment_line();
    if (text_.substr(at_, 2) == "/*") return skip(end_of_comment(text_, at_));
    if (c == '\'') return literal(end_of_string(text_, at_, false));
    if (c == '"') return copy(end_of_identifier(text_, at_));
    if (c == '$') return dollar();
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return number();
    if (starts_name(c)) return name();
    return copy(at_ + 1);
  }

  bool comment_line() {
    const std::size_t end = text_.find('\n', at_);
    at_ = end == std::string_view::npos ? text_.size() : end;
    return true;
  }
  bool skip(End end) {
    if (!end) return false;
    at_ = *end;
    blank_ = true;
    return true;
  }
  bool copy(End end) {
    if (!end) return false;
    word(text_.substr(at_, *end - at_));
    at_ = *end;
    return true;
  }
  bool literal(End end) {
    if (!end) return false;
    at_ = *end;
    value();
    return true;
  }
  bool dollar() {
    std::size_t digits = at_ + 1;
    while (digits < text_.size() && is_digit(text_[digits])) ++digits;
    if (digits > at_ + 1) return copy(digits);  // $1: a place, no value
    const std::string_view tag = dollar_tag(text_, at_);
    if (tag.empty()) return copy(at_ + 1);
    const std::size_t end = text_.find(tag, at_ + tag.size());
    if (end == std::string_view::npos) return false;
    return literal(end + tag.size());
  }
  bool number() {
    std::size_t end = at_;
    while (end < text_.size() && (in_name(text_[end]) || text_[end] == '.')) ++end;
    return literal(end);
  }
  // A word, or the letter in front of a literal: E'', B'', X'', N'', U&''.
  bool name() {
    std::size_t end = at_;
    while (end < text_.size() && in_name(text_[end])) ++end;
    const std::string_view read = text_.substr(at_, end - at_);
    if (end < text_.size() && text_[end] == '\'' && read.size() == 1) return literal(end_of_string(text_, end, read == "e" || read == "E"));
    if ((read == "u" || read == "U") && text_.substr(end, 2) == "&'") return literal(end_of_string(text_, end + 1, false));
    return copy(end);
  }

  void word(std::string_view added) {
    if (blank_ && !shown_.empty()) shown_ += ' ';
    blank_ = false;
    shown_ += added;
  }
  // Lists grow by thousands: after the first one they only say that they go on.
  void value() {
    const bool second = shown_.ends_with("?,"), later = shown_.ends_with("?, …,");
    if (second) shown_ += " …";
    if (later) shown_.pop_back();
    if (second || later) blank_ = false;
    else word("?");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool blank_ = false;
  std::string shown_;
};

}  // namespace

std::string without_literals(std::string_view statement) { return Stripper(statement).run(); }

}  // namespace steward::core
