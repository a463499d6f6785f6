// Classes of code points and the borders of graphemes, for text.cpp (cleaning names) and log.cpp (cleaning lines).
// Near enough for names and columns, not the whole Unicode tables. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace steward::core {

bool is_mark(char32_t c);   // combining mark, variation selector, skin tone
bool is_blank(char32_t c);  // any space, tab or line break
bool is_hidden(
    char32_t c);  // control, bidi control, zero width (not the joiners, which scripts and emoji need), filler

// Where the grapheme that starts at `at` ends; at < points.size().
std::size_t grapheme_end(std::u32string_view points, std::size_t at);

}  // namespace steward::core
