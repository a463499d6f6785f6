// Words that people type: the nearest known one, and those that must not be repeated because they look like a secret.
#include <algorithm>
#include <array>
#include <numeric>

#include "core/text.hpp"

namespace steward::core {
namespace {

std::size_t length_difference(std::string_view a, std::string_view b) {
  return a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

bool any(std::string_view text, bool (*is)(char)) { return std::any_of(text.begin(), text.end(), is); }

bool is_token_character(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c) || c == '_' || c == '-' || c == '+' || c == '/' || c == '=';
}

bool looks_random(std::string_view word) {
  if (word.size() < 20 || !std::all_of(word.begin(), word.end(), is_token_character)) return false;
  if (any(word, is_digit) && any(word, is_lower) && any(word, is_upper)) return true;
  const bool hex = std::all_of(word.begin(), word.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  return hex && word.size() >= 32 && any(word, is_lower);
}

bool has_secret_key(std::string_view word) {
  const auto mark = word.find_first_of("=:");
  if (mark == std::string_view::npos || mark + 1 >= word.size()) return false;
  const std::string key = to_lower_ascii(word.substr(0, mark));
  constexpr std::array<std::string_view, 6> endings{"password", "passwd", "token", "secret", "passphrase", "apikey"};
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return key.ends_with(ending); });
}

bool has_password_in_url(std::string_view word) {
  const auto scheme = word.find("://");
  if (scheme == std::string_view::npos) return false;
  const auto authority = word.substr(scheme + 3, word.find('/', scheme + 3) - (scheme + 3));
  const auto at = authority.rfind('@');
  return at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table ("optimal string alignment"): the swap looks two rows back.
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

std::vector<std::string> nearest_all(std::string_view word, const std::vector<std::string>& candidates,
                                     std::size_t limit) {
  std::vector<std::string> best;
  std::size_t distance = limit;
  for (const std::string& candidate : candidates) {
    if (length_difference(word, candidate) > distance) continue;
    const std::size_t here = edit_distance(word, candidate);
    if (here > distance) continue;
    if (here < distance) best.clear();
    distance = here;
    best.push_back(candidate);
  }
  return best;
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates,
                                   std::size_t limit) {
  auto best = nearest_all(word, candidates, limit);
  if (best.empty()) return std::nullopt;
  return std::move(best.front());
}

bool looks_secret(std::string_view word) {
  constexpr std::string_view sigils = "!@#$";  // identifiers are public, long random text or not
  if (word.empty() || sigils.find(word.front()) != std::string_view::npos || word.starts_with("mxc://")) return false;
  constexpr std::array<std::string_view, 8> starts{"syt_", "mct_", "mcr_", "mpt_", "syl_", "MDAx", "eyJ", "Bearer"};
  const bool known = std::any_of(starts.begin(), starts.end(),
                                 [&](std::string_view s) { return word.starts_with(s) && word.size() > s.size() + 6; });
  return known || looks_random(word) || has_secret_key(word) || has_password_in_url(word);
}

std::string echo_word(std::string_view word) {
  if (looks_secret(word)) return "'***'";
  if (trim(word).empty()) return "''";
  return '\'' + clean_name(word) + '\'';
}

}  // namespace steward::core
