// What a message of the room means: rows 23–36 of the table of edge cases, from body and formatted_body to the command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command/html_text.hpp"
#include "command/reading.hpp"
#include "command_specs.hpp"

namespace steward::command {
namespace {

using samples::parse_message;
using samples::told;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Row {
  std::string body, formatted, expected;
};

void expect(const std::vector<Row>& rows) {
  for (const Row& row : rows)
    EXPECT_EQ(told(parse_message(row.body, row.formatted)), row.expected) << row.body << " | " << row.formatted;
}

TEST(Reading, CommandsAsPhonesTypeThem) {
  expect({
      {"!purge-media 30d", "", "purge-media 30d"},
      {"!Purge-media 30d", "", "purge-media 30d"},
      {"！purge-media 30d", "", "purge-media 30d"},
      {"! purge-media 30d", "", "purge-media 30d"},
      {"!purge-media\u00a030d", "", "purge-media 30d"},
      {"!purge-media\u202f\u300030d\u200b", "", "purge-media 30d"},
      {"\\!purge-media 30d", "", "purge-media 30d"},
      {"\\!purge\\-media 30d", "", "purge-media 30d"},
      {"!purge_media 30d", "", "purge-media 30d"},
      {"!purge-media “30d”", "", "purge-media 30d"},
      {"!purge-media „30d“", "", "purge-media 30d"},
      {"!purge-media ３０d", "", "purge-media 30d"},
      {"!purge-media 30 d", "", "purge-media 30d"},
      {"`!purge-media 30d`", "", "purge-media 30d"},
      {"```\n!purge-media 30d\n```", "", "purge-media 30d"},
      {"\n  !purge-media 30d  \n", "", "purge-media 30d"},
      {"!PM 30D", "", "purge-media 30d"},
      {"!purge-media \ufeff30d", "", "purge-media 30d"},
  });
}

TEST(Reading, DashesOfPhonesAreFlags) {
  for (const std::string dash : {"—", "–", "――", "——", "−−", "‑‑", "‐‐", "—-", "-—", "‒", "−"})
    EXPECT_EQ(told(parse_message("!clean-rooms " + dash + "dry-run")), "clean-rooms --dry-run") << dash;
  EXPECT_EQ(told(parse_message("!clean-rooms —dry–run")), "clean-rooms --dry-run");
  EXPECT_EQ(told(parse_message("!clean-rooms —Dry_Run")), "clean-rooms --dry-run");
  EXPECT_EQ(told(parse_message("!clean-rooms –n")), "clean-rooms --dry-run");
  EXPECT_EQ(told(parse_message("!clean-rooms —older=60d")), "clean-rooms --older 60d");
}

TEST(Reading, UnknownDashesAreNamed) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"⸺dry-run", "U+2E3A"},  {"-⸺dry-run", "U+2E3A"},           {"⸻dry-run", "U+2E3B"},  {"－－dry-run", "U+FF0D"},
      {"﹘dry-run", "U+FE58"}, {"\u00ad\u00addry-run", "U+00AD"}, {"〜dry-run", "U+301C"}, {"ーdry-run", "U+30FC"}};
  for (const auto& [word, name] : rows) {
    const std::string answer = told(parse_message("!clean-rooms " + word));
    EXPECT_THAT(answer, StartsWith("! ")) << word;
    EXPECT_THAT(answer, HasSubstr(name)) << word;
  }
}

TEST(Reading, ReversedTextIsRefused) {
  EXPECT_THAT(told(parse_message("!purge-media \u202e30d")), HasSubstr("U+202E"));
  EXPECT_THAT(told(parse_message("!purge-media \u206630d")), HasSubstr("U+2066"));
}

TEST(Reading, RepliesWithFallback) {
  expect({
      {"> <@ann:hs.test> hello\n> more\n\n!help", "", "help"},
      {"> <@ann:hs.test> !purge-media 30d\n\n!help",
       "<mx-reply><blockquote><a href=\"https://matrix.to/#/@ann:hs.test\">x</a></blockquote></mx-reply>!help", "help"},
      {"> !purge-media 30d", "", ""},
  });
}

TEST(Reading, Mentions) {
  const std::string pill = "<a href=\"https://matrix.to/#/@steward:hs.test\">Steward (x)</a>";
  expect({
      {"Steward (x): purge-media 30d", pill + ": purge-media 30d", "purge-media 30d"},
      {"Steward (x) purge-media 30d", pill + " purge-media 30d", "purge-media 30d"},
      {"Steward (x): purge-media 30d", "", "purge-media 30d"},
      {"steward (X), !purge-media 30d", "", "purge-media 30d"},
      {"@steward:hs.test: purge-media 30d", "", "purge-media 30d"},
      {"@steward: purge-media 30d", "", "purge-media 30d"},
      {"steward: Purge-Media 30d", "", "purge-media 30d"},
      {"[Steward (x)](https://matrix.to/#/@steward:hs.test): purge-media 30d", "", "purge-media 30d"},
      {"[Steward](https://matrix.to/#/%40steward%3Ahs.test) purge-media 30d", "", "purge-media 30d"},
      {"\"Steward (x)\" (https://matrix.to/#/@steward:hs.test): purge-media 30d", "", "purge-media 30d"},
      {"@room-name: purge-media 30d",
       "<a href='https://matrix.to/#/%40steward%3Ahs.test?via=hs.test'>@room-name</a>: purge-media 30d",
       "purge-media 30d"},
      // somebody else, chat, nobody
      {"steward2: purge-media 30d", "", ""},
      {"Steward (x) junior: purge-media 30d", "", ""},
      {"@steward:other.test: purge-media 30d", "", ""},
      {"@stewardess:hs.test: purge-media 30d", "", ""},
      {"Steward (x): purge-media 30d",
       "<a href=\"https://matrix.to/#/@steward2:hs.test\">Steward (x)</a>: purge-media 30d", ""},
      {"steward", "", ""},
      {"@steward:hs.test:", "", ""},
      {"Steward (x): thanks a lot", "", ""},
      {"purge-media 30d", "", ""},
  });
}

TEST(Reading, SilenceForWhatIsNoCommand) {
  expect({
      {"!8UkqMnym0typt3OyYm1_JG3hCd1-xf_Or1oiXLsMhNo", "", ""},
      {"!OGEhHVWSdvArJzumhm:matrix.org", "", ""},
      {"!!!", "", ""},
      {"!", "", ""},
      {"", "", ""},
      {"hello !help", "", ""},
      {"!wonderful\nnews", "", ""},
      {"!wonderful ⸺ news", "", ""},
      {"!ein schöner Tag", "", ""},
  });
}

TEST(Reading, OnlyOneCommandAMessage) {
  EXPECT_THAT(told(parse_message("!help\n!clean-rooms")), HasSubstr("One message, one command"));
  EXPECT_THAT(told(parse_message("!clean-rooms\n--dry-run")), HasSubstr("first line only"));
  EXPECT_THAT(told(parse_message("!delete-rooms\n!abc:hs.test\n!def:hs.test")), HasSubstr("code block"));
}

TEST(Reading, ListsInCodeBlocks) {
  expect({
      {"!delete-rooms\n```\n!abc:hs.test\n!def\n\n```", "", "delete-rooms !abc:hs.test !def"},
      {"!delete-rooms --block\n```text\n- !abc:hs.test\n- #x:hs.test\n- !abc:hs.test\n```", "",
       "delete-rooms !abc:hs.test #x:hs.test --block"},
      {"!delete-rooms !zzz\n~~~\n!abc\n~~~", "", "delete-rooms !zzz !abc"},
      {"!delete-rooms\n!abc:hs.test\n!def", "<p>!delete-rooms</p><pre><code>!abc:hs.test\n!def\n</code></pre>",
       "delete-rooms !abc:hs.test !def"},
  });
  EXPECT_THAT(told(parse_message("!delete-rooms\n```\n```")), HasSubstr("list is empty"));
  EXPECT_THAT(told(parse_message("!delete-rooms\n```\n!abc:hs.test")), HasSubstr("does not end"));
  EXPECT_THAT(told(parse_message("!delete-rooms\n```\n!abc Big Room\n```")), HasSubstr("Line 1"));
  EXPECT_THAT(told(parse_message("!delete-rooms\n```\n!abc\nbanana\n```")), HasSubstr("Line 2"));
  EXPECT_THAT(told(parse_message("!room !abc\n```\n!def\n```")), HasSubstr("takes no list"));
  EXPECT_THAT(told(parse_message("!delete-rooms\n```\n!abc\n```\nand more")), HasSubstr("first line only"));
}

TEST(Reading, PillsAreTheIdsTheyMean) {
  expect({
      {"!user Ann Smith", "!user <a href=\"https://matrix.to/#/@ann:hs.test\">Ann Smith</a>", "user @ann:hs.test"},
      {"!user Ann Smith", "!user <a href=\"matrix:u/ann:hs.test\">Ann Smith</a>", "user @ann:hs.test"},
      {"!room Big Room", "!room <a href=\"https://matrix.to/#/!abc:hs.test?via=hs.test\">Big Room</a>",
       "room !abc:hs.test"},
      {"!delete-rooms Big Big",
       "!delete-rooms <a href='https://matrix.to/#/!a:hs.test'>Big</a> <a "
       "href='https://matrix.to/#/!b:hs.test'>Big</a>",
       "delete-rooms !a:hs.test !b:hs.test"},
      {"!event link", "!event <a href='https://matrix.to/#/!a:hs.test/$ev?via=x'>link</a>", "event $ev"},
      {"!user [Ann](https://matrix.to/#/@ann:hs.test)", "!user <a href='https://matrix.to/#/@ann:hs.test'>Ann</a>",
       "user @ann:hs.test"},
  });
}

TEST(Reading, HugeInputGetsAClearAnswer) {
  const std::string answer = told(parse_message("!purge-media " + std::string(64 * 1024, 'x')));
  EXPECT_THAT(answer, HasSubstr("too long"));
  EXPECT_LT(answer.size(), 400U);
  EXPECT_EQ(told(parse_message(std::string(64 * 1024, 'x'))), "");
  std::string list = "!delete-rooms\n```\n";
  for (int room = 0; room < 3000; ++room) list += "!room" + std::to_string(room) + ":hs.test\n";
  const auto outcome = parse_message(list + "```");
  ASSERT_TRUE(outcome);
  const auto* parsed = std::get_if<Parsed>(&*outcome);
  ASSERT_NE(parsed, nullptr);
  EXPECT_EQ(parsed->arguments.rooms("rooms").size(), 3000U);
  EXPECT_LT(parsed->line.size(), 1200U);
}

TEST(Reading, HtmlOfAnyKindIsRead) {
  const HtmlText html =
      read_html("<p>a &amp; b&#x21;</p><a href=\"x\">y<br/>z</a> &bogus; <pre><code>1\n2</code></pre><unclosed");
  EXPECT_THAT(html.text, HasSubstr("a & b!"));
  ASSERT_EQ(html.links.size(), 1U);
  EXPECT_EQ(html.links[0].shown, "y\nz");
  EXPECT_EQ(html.preformatted, "1\n2");
  EXPECT_EQ(read_link("https://matrix.to/#/%21abc%3Ahs.test/%24ev?via=a")->event, "$ev");
  EXPECT_EQ(read_link("matrix:roomid/abc:hs.test/e/ev")->id, "!abc:hs.test");
  EXPECT_FALSE(read_link("https://example.org/#/@a:b"));
}

}  // namespace
}  // namespace steward::command
