// Phone typing folded away, character by character: spaces, quotes, hidden characters, dashes, quoted replies. Used by
// the parser (reading.cpp, tokenize.cpp) and by confirmation.cpp. Pure, any thread. Facts: matrix-protocol "Reading
// commands".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace steward::command {

// Unicode spaces → ' ' (line breaks stay), zero-width characters and emoji selectors removed, curly quotes straight,
// "…" → "...", full-width digits → ASCII, broken UTF-8 → U+FFFD. Dashes stay as they are: their meaning depends on
// where they stand.
std::string fold_characters(std::string_view text);

// Cuts the lines "> …" with which older clients repeat the message that is replied to, and the empty line after them.
std::string_view without_reply_fallback(std::string_view body);

// U+2010–2015 and U+2212: what phones make of one or two hyphens.
bool is_known_dash(char32_t c);
// Every other character that is a dash or looks like one: never guessed.
bool is_strange_dash(char32_t c);
// Characters that turn the reading direction, so that a line runs differently from what it shows.
bool is_direction_override(char32_t c);
std::string code_point_name(char32_t c);  // "U+2E3A"

// The text with every part that looks like a secret as "***": whole words ("password=x") and what stands behind "=",
// ":", quotes.
std::string masked(std::string_view text);
// What a person typed as an error repeats it: masked, cleaned, cut, in quotes.
std::string echo(std::string_view text);

// The command word or the name of a flag: lower case, underscores and known dashes as "-".
std::string fold_name(std::string_view name);

}  // namespace steward::command
