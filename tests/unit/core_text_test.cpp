#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "core/text.hpp"

namespace steward::core {
namespace {

using ::testing::ElementsAre;

// Code points a text may hold: everything but surrogates.
rc::Gen<char32_t> code_point() {
  return rc::gen::map(rc::gen::weightedOneOf<std::uint32_t>({{4, rc::gen::inRange<std::uint32_t>(0, 0x80)},
                                                             {2, rc::gen::inRange<std::uint32_t>(0x80, 0xd800)},
                                                             {1, rc::gen::inRange<std::uint32_t>(0xe000, 0x110000)}}),
                      [](std::uint32_t value) { return static_cast<char32_t>(value); });
}

RC_GTEST_PROP(Utf8Property, CodePointsRoundTrip, ()) {
  const auto points = *rc::gen::container<std::u32string>(code_point());
  const std::string text = from_code_points(points);
  RC_ASSERT(is_valid_utf8(text));
  RC_ASSERT(to_code_points(text) == points);
  RC_ASSERT(replace_invalid_utf8(text) == text);
}

RC_GTEST_PROP(Utf8Property, AnyBytesBecomeValid, (const std::string& bytes)) {
  const std::string text = replace_invalid_utf8(bytes);
  RC_ASSERT(is_valid_utf8(text));
  RC_ASSERT(is_valid_utf8(bytes) == (text == bytes));
}

TEST(Utf8, RefusesWhatTheStandardRefuses) {
  const std::vector<std::string> wrong{"\x80",
                                       "\xc0\xaf",
                                       "\xc1\xbf",
                                       "\xe0\x80\xaf",
                                       "\xed\xa0\x80",
                                       "\xf0\x80\x80\xaf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "a\xe2\x82",
                                       "\xe2\x82"
                                       "a"};
  for (const std::string& bytes : wrong) EXPECT_FALSE(is_valid_utf8(bytes)) << testing::PrintToString(bytes);
  EXPECT_TRUE(is_valid_utf8("\xf4\x8f\xbf\xbf"));
  EXPECT_EQ(replace_invalid_utf8("a\xe2\x82z"), "a\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");
}

TEST(Width, CountsColumns) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("漢字"), 4U);
  EXPECT_EQ(display_width("👩‍💻"), 2U);
  EXPECT_EQ(display_width("👍🏽"), 2U);
  EXPECT_EQ(display_width("🇩🇪🇫🇷"), 4U);
  EXPECT_EQ(display_width("a\u200bb\u202ec"), 3U);
}

TEST(CleanName, TakesHostileNamesApart) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"Kitchen", "Kitchen"},
      {"", "(no name)"},
      {" \t\n ", "(no name)"},
      {"\u200b\u2060\ufeff", "(no name)"},
      {"\u200d\u0301", "(no name)"},
      {"\u3164\u115f", "(no name)"},
      {"admin\u202e\u2066gpj.exe\u2069", "admingpj.exe"},
      {"a\u200eb\u200fc\u061cd", "abcd"},
      {"line one\nline two\r\n!purge-media 30d", "line one line two !purge-media 30d"},
      {"\x1b[31mred\x07", "[31mred"},
      {"zero\u200bwidth", "zerowidth"},
      {"שלום עולם", "שלום עולם"},
      {"مرحبا", "مرحبا"},
      {"👩‍👩‍👧‍👦 family", "👩‍👩‍👧‍👦 family"},
      {"\u2028x\u2029y\u00a0z", "x y z"},
      {"bad\xff"
       "bytes",
       "bad\uFFFDbytes"},
      {"\U000e0041tag", "tag"},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(clean_name(text), expected) << testing::PrintToString(text);
}

TEST(CleanName, CutsByGraphemes) {
  EXPECT_EQ(clean_name("abcdef", 6), "abcdef");
  EXPECT_EQ(clean_name("abcdefg", 6), "abcde…");
  EXPECT_EQ(clean_name("👩‍💻👩‍💻👩‍💻", 2), "👩‍💻…");
  EXPECT_EQ(clean_name(std::string(10000, 'x')), std::string(39, 'x') + "…");
  std::string tower = "e";
  for (int i = 0; i < 10000; ++i) tower += "\u0301";
  EXPECT_LE(clean_name(tower).size(), 40U);
}

RC_GTEST_PROP(CleanNameProperty, IsShortValidAndStable, (const std::string& bytes)) {
  const std::string name = clean_name(bytes);
  RC_ASSERT(!name.empty());
  RC_ASSERT(is_valid_utf8(name));
  RC_ASSERT(to_code_points(name).size() <= 40U * 8U + 1U);
  RC_ASSERT(name.find_first_of("\r\n\t\x1b") == std::string::npos);
  RC_ASSERT(clean_name(name) == name);
}

TEST(ShortenId, KeepsBothEnds) {
  EXPECT_EQ(shorten_id("!OGEhHVWSdvArJzumhm:example.mPw"), "!OGEh…mPw");
  EXPECT_EQ(shorten_id("!short:hs.test"), "!short:hs.test");
  EXPECT_EQ(shorten_id("1234567890123456"), "1234567890123456");
  EXPECT_EQ(shorten_id(""), "");
  EXPECT_TRUE(is_valid_utf8(shorten_id("@ééééééééééééééééé:hs")));
}

TEST(Words, Small) {
  EXPECT_EQ(to_lower_ascii("ÄBc-É"), "Äbc-É");
  EXPECT_EQ(trim(" \t a b \n"), "a b");
  EXPECT_EQ(trim("  "), "");
  EXPECT_THAT(split("a,,b", ','), ElementsAre("a", "", "b"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
  EXPECT_EQ(join({}, ", "), "");
  EXPECT_EQ(join({"", ""}, "-"), "-");
  EXPECT_EQ(plural(1, "room", "rooms"), "1 room");
  EXPECT_EQ(plural(0, "room", "rooms"), "0 rooms");
  EXPECT_EQ(plural(1204, "room", "rooms"), "1\u202f204 rooms");
}

TEST(EditDistance, Examples) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("purge", "pruge"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

RC_GTEST_PROP(EditDistanceProperty, IsSymmetricAndBounded, (const std::string& a, const std::string& b)) {
  const std::size_t distance = edit_distance(a, b);
  RC_ASSERT(distance == edit_distance(b, a));
  RC_ASSERT((distance == 0) == (a == b));
  RC_ASSERT(distance <= std::max(a.size(), b.size()));
  RC_ASSERT(distance >= (a.size() > b.size() ? a.size() - b.size() : b.size() - a.size()));
}

RC_GTEST_PROP(EditDistanceProperty, OneSwapIsOneStep, ()) {
  const auto text = *rc::gen::suchThat<std::string>([](const std::string& s) { return s.size() >= 2; });
  const auto at = *rc::gen::inRange<std::size_t>(0, text.size() - 1);
  std::string swapped = text;
  std::swap(swapped[at], swapped[at + 1]);
  RC_ASSERT(edit_distance(text, swapped) <= 1);
}

TEST(Nearest, TakesTheFirstOfTheNearest) {
  const std::vector<std::string> words{"clean-rooms", "list-rooms", "room", "rooms"};
  EXPECT_EQ(nearest("claen-rooms", words), "clean-rooms");
  EXPECT_EQ(nearest("roomz", words), "room");
  EXPECT_EQ(nearest("frobnicate", words), std::nullopt);
  EXPECT_THAT(nearest_all("roomz", words), ElementsAre("room", "rooms"));
  EXPECT_EQ(nearest(std::string(100000, 'x'), words), std::nullopt);
  EXPECT_EQ(nearest("room", {}), std::nullopt);
}

std::string unescape(std::string html) {
  for (const auto& [entity, text] : std::vector<std::pair<std::string, std::string>>{
           {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&amp;", "&"}}) {
    for (std::size_t at = 0; (at = html.find(entity, at)) != std::string::npos; at += text.size()) {
      html.replace(at, entity.size(), text);
    }
  }
  return html;
}

RC_GTEST_PROP(EscapeHtmlProperty, LeavesNoMarkupAndLosesNothing, ()) {
  const auto text =
      *rc::gen::container<std::string>(rc::gen::element('&', '<', '>', '"', 'l', 't', ';', 'a', 'm', 'p'));
  const std::string html = escape_html(text);
  RC_ASSERT(html.find_first_of("<>\"") == std::string::npos);
  RC_ASSERT(unescape(html) == text);
}

TEST(LooksSecret, KnowsTokensAndLeavesIdsAlone) {
  for (const std::string word : {"syt_YWxpY2U_abcdefghij_0aBcDe", "mct_abcdefgh1234567_xyz", "password=hunter2",
                                 "access_token:abc", "postgresql://u:p@host/db", "aB3dE5gH7jK9mN1pQ3sT5vX7",
                                 "MDAxabcdefghijklmnop", "0123456789abcdef0123456789abcdef"}) {
    EXPECT_TRUE(looks_secret(word)) << word;
  }
  for (const std::string word :
       {"", "30d", "purge-media", "!8UkqMnym0typt3OyYm1_JG3hCd1-xf_Or1oiXLsMhNo", "@alice:hs.test",
        "$8UkqMnym0typt3OyYm1_JG3hCd1-xf", "mxc://hs.test/abcDEF0123456789abcdefgh", "--include=left,aliased",
        "https://matrix.to/#/@alice:hs.test", "2026-01-31T18:00", "!abc=def", "synchronised-rooms-and-more"}) {
    EXPECT_FALSE(looks_secret(word)) << word;
  }
}

TEST(EchoWord, NeverRepeatsASecretOrAHostileName) {
  EXPECT_EQ(echo_word("30x"), "'30x'");
  EXPECT_EQ(echo_word("password=hunter2"), "'***'");
  EXPECT_EQ(echo_word(""), "''");
  EXPECT_EQ(echo_word("a\u202e\nb"), "'a b'");
  EXPECT_LE(echo_word(std::string(10000, 'x')).size(), 50U);
}

TEST(CsvCell, RunsInNoSpreadsheet) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"plain", "plain"},
      {"", ""},
      {"a,b", "\"a,b\""},
      {"say \"x\"", "\"say \"\"x\"\"\""},
      {"two\nlines", "\"two\nlines\""},
      {"=1+1", "'=1+1"},
      {"+49", "'+49"},
      {"-5", "'-5"},
      {"@alice:hs", "'@alice:hs"},
      {"=a,b", "\"'=a,b\""},
      {" x", "\" x\""},
      {"\t=1", "'\t=1"},
  };
  for (const auto& [text, cell] : table) EXPECT_EQ(csv_cell(text), cell);
}

}  // namespace
}  // namespace steward::core
