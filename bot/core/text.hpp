// Text helpers: UTF-8, cleaning of hostile names, nearest word, small joins. Any layer, any thread, no locale.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace steward::core {

bool is_valid_utf8(std::string_view text);
std::string replace_invalid_utf8(std::string_view text);  // broken bytes become U+FFFD
// Code points of valid UTF-8 (invalid bytes give U+FFFD), and back.
std::u32string to_code_points(std::string_view text);
std::string from_code_points(std::u32string_view text);
// Columns: a grapheme is one, of East Asian scripts and emoji two; combining marks, joiners and hidden characters none.
std::size_t display_width(std::string_view text);

// Names from the database or from other people: control characters, bidi controls (U+202A–202E, U+2066–2069, U+200E/F),
// zero-width and filler characters removed, blanks and line breaks folded to one space, at most `graphemes` with the "…".
// Never empty: gives "(no name)" for nothing left.
std::string clean_name(std::string_view text, std::size_t graphemes = 40);
std::string shorten_id(std::string_view id);  // "!OGEh…mPw" in the middle when longer than 16
std::string to_lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string plural(long long count, std::string_view one, std::string_view many);  // "1 room", "3 rooms" (count formatted)

std::size_t edit_distance(std::string_view a, std::string_view b);  // Damerau–Levenshtein (a swap is one step), on bytes
// The candidate nearest to `word` within `limit` steps, the first one on a tie; nullopt when none.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates, std::size_t limit = 2);
// All candidates at the smallest distance within `limit`.
std::vector<std::string> nearest_all(std::string_view word, const std::vector<std::string>& candidates, std::size_t limit = 2);

std::string escape_html(std::string_view text);  // & < > "
// Looks like an access token or password ("syt_", "mct_", long random text, key=value of a secret): masked in echoes.
bool looks_secret(std::string_view word);
// A word of a person as an error text repeats it: in quotes, cleaned and cut, "'***'" where it looks like a secret.
std::string echo_word(std::string_view word);
// A CSV cell: quoted where needed, an apostrophe before = + - @ so that no spreadsheet runs it.
std::string csv_cell(std::string_view text);

}  // namespace steward::core
