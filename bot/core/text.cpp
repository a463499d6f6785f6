#include "core/text.hpp"

#include <algorithm>
#include <array>

#include "core/units.hpp"
#include "core/utf8.hpp"

namespace steward::core {
namespace {

constexpr std::size_t longest_grapheme = 8;  // code points; cuts "Zalgo" towers of marks, keeps family emoji

bool is_joiner(char32_t c) { return c == 0x200c || c == 0x200d; }

// Without what is hidden, blanks folded to single spaces, no blank at the ends.
std::u32string visible(std::u32string_view points) {
  std::u32string kept;
  bool gap = false;
  for (const char32_t c : points) {
    if (is_blank(c)) {
      gap = !kept.empty();
    } else if (!is_hidden(c)) {
      if (gap) kept += U' ';
      gap = false;
      kept += c;
    }
  }
  return kept;
}

bool draws_something(std::u32string_view points) {
  return std::any_of(points.begin(), points.end(),
                     [](char32_t c) { return c != U' ' && !is_mark(c) && !is_joiner(c); });
}

}  // namespace

std::string clean_name(std::string_view text, std::size_t graphemes) {
  // A name is cut anyway: a megabyte of it is not decoded first.
  const std::u32string points = visible(to_code_points(text.substr(0, 64 * (graphemes + 1))));
  if (!draws_something(points)) return "(no name)";
  std::u32string shown;
  std::size_t last_start = 0;
  std::size_t count = 0;
  for (std::size_t at = 0; at < points.size();) {
    const std::size_t end = grapheme_end(points, at);
    if (count == graphemes) {
      shown.resize(last_start);
      shown += U'…';
      break;
    }
    last_start = shown.size();
    shown += points.substr(at, std::min(end - at, longest_grapheme));
    at = end;
    ++count;
  }
  return from_code_points(shown);
}

std::string shorten_id(std::string_view id) {
  std::u32string points = to_code_points(id);
  std::erase_if(points, [](char32_t c) { return is_hidden(c) || is_blank(c); });
  if (points.size() <= 16) return from_code_points(points);
  return from_code_points(points.substr(0, 5)) + "…" + from_code_points(points.substr(points.size() - 3));
}

std::string to_lower_ascii(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\f\v";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) text += separator;
    text += part;
  }
  return text;
}

std::string plural(long long count, std::string_view one, std::string_view many) {
  return format_count(count) + ' ' + std::string(count == 1 || count == -1 ? one : many);
}

std::string escape_html(std::string_view text) {
  std::string html;
  html.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string csv_cell(std::string_view text) {
  std::string cell;
  constexpr std::string_view starts_formula = "=+-@\t\r";
  if (!text.empty() && starts_formula.find(text.front()) != std::string_view::npos) cell += '\'';
  cell += text;
  if (cell.find_first_of(",;\"\r\n") == std::string::npos && trim(cell).size() == cell.size()) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace steward::core
