// UTF-8: decoding with replacement, encoding, character classes of names, graphemes (a near enough reading of UAX #29).
#include "core/utf8.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.hpp"

namespace steward::core {
namespace {

constexpr char32_t replacement = 0xfffd;

struct Decoded {
  char32_t point = replacement;
  std::size_t length = 1;
  bool valid = false;
};

// One code point at `at`; a broken sequence gives its longest valid beginning as one U+FFFD (Unicode 3.9, "best
// practice").
Decoded decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xc2 || lead > 0xf4) return {};
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t point = length == 2 ? lead & 0x1fU : length == 3 ? lead & 0x0fU : lead & 0x07U;
  for (std::size_t i = 1; i < length; ++i) {
    if (at + i >= text.size()) return {replacement, i, false};
    const unsigned char next = byte(at + i);
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (i == 1) {  // shortest form only, no surrogates, nothing over U+10FFFF
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    }
    if (next < low || next > high) return {replacement, i, false};
    point = (point << 6U) | (next & 0x3fU);
  }
  return {point, length, true};
}

void append(std::string& out, char32_t point) {
  if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) point = replacement;
  const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0U | (point >> 6U));
    put(0x80U | (point & 0x3fU));
  } else if (point < 0x10000) {
    put(0xe0U | (point >> 12U));
    put(0x80U | ((point >> 6U) & 0x3fU));
    put(0x80U | (point & 0x3fU));
  } else {
    put(0xf0U | (point >> 18U));
    put(0x80U | ((point >> 12U) & 0x3fU));
    put(0x80U | ((point >> 6U) & 0x3fU));
    put(0x80U | (point & 0x3fU));
  }
}

using Range = std::pair<char32_t, char32_t>;

template <std::size_t N>
bool in_ranges(char32_t c, const std::array<Range, N>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [c](const Range& r) { return c >= r.first && c <= r.second; });
}

// Combining marks of the scripts that names are written in (Unicode categories Mn, Me), variation selectors, skin
// tones.
constexpr std::array<Range, 34> marks{{
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},   {0x05bf, 0x05bf},   {0x05c1, 0x05c2}, {0x05c4, 0x05c5},
    {0x05c7, 0x05c7}, {0x0610, 0x061a}, {0x064b, 0x065f},   {0x0670, 0x0670},   {0x06d6, 0x06dc}, {0x06df, 0x06e4},
    {0x06e7, 0x06e8}, {0x06ea, 0x06ed}, {0x0711, 0x0711},   {0x0730, 0x074a},   {0x0900, 0x0902}, {0x093c, 0x093c},
    {0x0941, 0x0948}, {0x094d, 0x094d}, {0x0951, 0x0957},   {0x0e31, 0x0e31},   {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
    {0x0f71, 0x0f84}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},   {0x20d0, 0x20f0},   {0x302a, 0x302d}, {0x3099, 0x309a},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0x1f3fb, 0x1f3ff}, {0xe0100, 0xe01ef},
}};

constexpr std::array<Range, 14> wide{{
    {0x1100, 0x115f},
    {0x2e80, 0x303e},
    {0x3041, 0x33ff},
    {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},
    {0xa000, 0xa4cf},
    {0xac00, 0xd7a3},
    {0xf900, 0xfaff},
    {0xfe30, 0xfe4f},
    {0xff00, 0xff60},
    {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f},
    {0x1f680, 0x1f9ff},
    {0x20000, 0x3fffd},
}};

// What draws nothing but changes how its neighbours are drawn or read.
constexpr std::array<Range, 16> invisible{{
    {0x00ad, 0x00ad},
    {0x034f, 0x034f},
    {0x061c, 0x061c},
    {0x115f, 0x1160},
    {0x17b4, 0x17b5},
    {0x180b, 0x180e},
    {0x200b, 0x200b},
    {0x200e, 0x200f},
    {0x202a, 0x202e},
    {0x2060, 0x206f},
    {0x3164, 0x3164},
    {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},
    {0x1d173, 0x1d17a},
    {0xe0000, 0xe007f},
}};

bool is_regional(char32_t c) { return c >= 0x1f1e6 && c <= 0x1f1ff; }
bool is_joiner(char32_t c) { return c == 0x200c || c == 0x200d; }

}  // namespace

bool is_mark(char32_t c) { return in_ranges(c, marks); }

bool is_blank(char32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x2800 ||
         c == 0x3000;
}

bool is_hidden(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffeU) == 0xfffeU ||
         in_ranges(c, invisible);
}

std::size_t grapheme_end(std::u32string_view points, std::size_t at) {
  const bool flag = is_regional(points[at]);
  std::size_t end = at + 1;
  if (flag && end < points.size() && is_regional(points[end])) ++end;
  while (end < points.size()) {
    if (is_mark(points[end]) || is_joiner(points[end])) {
      ++end;
    } else if (points[end - 1] == 0x200d && end >= 2 && points[end] > 0x2000) {
      ++end;  // emoji sequences: woman + joiner + laptop
    } else {
      break;
    }
  }
  return end;
}

bool is_valid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode(text, at);
    if (!next.valid) return false;
    at += next.length;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  return from_code_points(to_code_points(text));
}

std::u32string to_code_points(std::string_view text) {
  std::u32string points;
  points.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode(text, at);
    points += next.point;
    at += next.length;
  }
  return points;
}

std::string from_code_points(std::u32string_view points) {
  std::string text;
  text.reserve(points.size());
  for (const char32_t point : points) append(text, point);
  return text;
}

std::size_t display_width(std::string_view text) {
  const std::u32string points = to_code_points(text);
  std::size_t width = 0;
  for (std::size_t at = 0; at < points.size(); at = grapheme_end(points, at)) {
    if (is_hidden(points[at]) || is_mark(points[at]) || is_joiner(points[at])) continue;
    width += in_ranges(points[at], wide) || is_regional(points[at]) ? 2U : 1U;
  }
  return width;
}

}  // namespace steward::core
