// Messages: what plain and HTML bodies say, that phones lose nothing of it, and that hostile names stay text.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "../support/golden.hpp"
#include "core/text.hpp"
#include "matrix/message.hpp"
#include "matrix_phones.hpp"

namespace steward::matrix {
namespace {

using testing::HasSubstr;
using testing::Not;

// One of everything, as a plan card would use it.
Message card() {
  Message message;
  message.title("Plan 41: delete 3 rooms");
  message.paragraph("Nobody of this server is in them any more.");
  message.lines({"Rooms: 3", "Rows: about 1 204 331", "no label here", "Newest event: 3 Mar 2026"});
  message.entry({bold("1 · Old project"), plain(" — 12.3 GB")},
                Text{plain("341 members, "), code("!OGEh…mPw"), plain(" · r1")});
  message.entry({bold("2 · "), link("Manual", "https://example.org/a?b=1&c=\"2\"")});
  message.entry("3 · nothing more");
  message.preformatted("event_json     1 204 331\nevents           204 331\n");
  message.paragraph({pill(core::UserId("@alice:hs.test")), plain(", answer "), code("yes 41 3"), plain(".")});
  return message;
}

TEST(MatrixMessage, RendersPlainAndHtml) {
  test::expect_golden("message_card.txt", card().plain_body());
  test::expect_golden("message_card.html", card().html_body());
}

TEST(MatrixMessage, CountsLinesAsTheyShow) {
  EXPECT_EQ(Message().line_count(), 0);
  EXPECT_TRUE(Message().empty());
  EXPECT_EQ(Message().paragraph("one").line_count(), 1);
  EXPECT_EQ(card().line_count(), 13);
  EXPECT_FALSE(card().empty());
}

TEST(MatrixMessage, LinesBecomeOneParagraphWithBoldLabels) {
  Message message;
  message.lines({"Rooms: 3", "a:b without a space", ": no label", "Time: 14:05: late"});
  EXPECT_EQ(message.plain_body(), "Rooms: 3\na:b without a space\n: no label\nTime: 14:05: late");
  EXPECT_EQ(message.html_body(),
            "<p><b>Rooms</b>: 3<br>a:b without a space<br>: no label<br><b>Time</b>: 14:05: late</p>");
  EXPECT_TRUE(Message().lines({}).empty());
}

TEST(MatrixMessage, ConsecutiveEntriesAreOneList) {
  Message message;
  message.entry("a").entry("b").paragraph("c").entry("d");
  EXPECT_EQ(message.html_body(), "<ul><li>a</li><li>b</li></ul><p>c</p><ul><li>d</li></ul>");
  EXPECT_EQ(message.plain_body(), "• a\n• b\nc\n• d");
}

TEST(MatrixMessage, PreformattedKeepsItsLinesAndColumns) {
  Message message;
  message.preformatted("a  <b>\n  c & d\n\n");
  EXPECT_EQ(message.html_body(), "<pre><code>a  &lt;b&gt;\n  c &amp; d</code></pre>");
  EXPECT_EQ(message.plain_body(), "a  <b>\n  c & d");
}

TEST(MatrixMessage, PillsLinkToThePersonAndNothingElse) {
  Message message;
  message.paragraph({pill(core::UserId("@a\"/?#<b>:hs.test:8448"))});
  EXPECT_EQ(
      message.html_body(),
      "<p><a "
      "href=\"https://matrix.to/#/@a%22%2F%3F%23%3Cb%3E:hs.test:8448\">@a&quot;/?#&lt;b&gt;:hs.test:8448</a></p>");
  EXPECT_EQ(message.plain_body(), "@a\"/?#<b>:hs.test:8448");
}

TEST(MatrixMessage, LinksThatClientsWouldDropAreText) {
  for (const char* url : {"javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", "HTTPSX://a", "//a"}) {
    Message message;
    message.paragraph({link("text", url)});
    EXPECT_EQ(message.html_body(), "<p>text</p>") << url;
    EXPECT_EQ(message.plain_body(), "text") << url;
  }
  EXPECT_THAT(Message().paragraph({link("m", "HTTPS://a.example/")}).html_body(), HasSubstr("<a href="));
}

class HostileName : public testing::TestWithParam<const char*> {};
TEST_P(HostileName, StaysTextEverywhere) {
  const std::string name = GetParam();
  Message message;
  message.title(name).paragraph(name).entry({bold(name), plain(name)},
                                            Text{code(name), link(name, "https://a/" + name)});
  message.preformatted(name).lines({"Name: " + name});
  const std::string html = message.html_body();
  EXPECT_EQ(phone::first_problem(html), "") << html;
  for (const std::string& body : {html, message.plain_body()}) {
    EXPECT_TRUE(core::is_valid_utf8(body));
    for (const char* hidden : {"\u202E", "\u2066", "\u2069", "\u200F", "\u2028", "\x1B", "\x07", "\r"}) {
      EXPECT_THAT(body, Not(HasSubstr(hidden)));
    }
    EXPECT_EQ(body.find('\0'), std::string::npos);
  }
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("onclick=\"")));
}
INSTANTIATE_TEST_SUITE_P(Names, HostileName,
                         testing::Values("</code></pre><a href=\"https://evil.example\">x</a>", "\u202Egnp.exe\u202C",
                                         "\u2066abc\u2069\u200F\u2028new line", "<script>alert(1)</script>",
                                         "\" onclick=\"x", "&amp;&lt;b&gt;", "\xFF\xFE\xC3", "a\x1B[31mred\x07\r\nb",
                                         "@room everybody", "👩‍👩‍👧 family", "]]><!--", "</ul></li></p>"));

TEST(MatrixMessage, JoinersOfEmojiAndScriptsStay) {
  EXPECT_EQ(Message().paragraph("👩‍👩‍👧").plain_body(), "👩‍👩‍👧");
}

TEST(MatrixMessage, PhonesLoseNothing) {
  const std::string html = card().html_body();
  EXPECT_EQ(phone::first_problem(html), "");
  const std::vector<std::string> words = {"Plan 41",      "Nobody",      "Rooms",          "1 204 331",
                                          "Old project",  "341 members", "!OGEh…mPw",      "Manual",
                                          "nothing more", "event_json",  "@alice:hs.test", "yes 41 3"};
  for (const std::string& word : words) {
    EXPECT_THAT(phone::element_x_android(html), HasSubstr(word));
    EXPECT_THAT(phone::element_x_ios(html), HasSubstr(word));
  }
}

// The check must be able to fail: what the phones are known to mangle is found.
TEST(MatrixMessage, ThePhoneCheckFindsWhatPhonesMangle) {
  EXPECT_NE(phone::first_problem("<p>a</p><table><tr><td>b</td></tr></table>"), "");
  EXPECT_NE(phone::first_problem("<h1>a</h1>"), "");
  EXPECT_NE(phone::first_problem("<p><span>a</span></p>"), "");
  EXPECT_NE(phone::first_problem("<p>a"), "");
  EXPECT_NE(phone::first_problem("<p>a</b></p>"), "");
  EXPECT_NE(phone::first_problem("<p class=\"x\">a</p>"), "");
  EXPECT_NE(phone::first_problem("<a href=\"javascript:x\">a</a>"), "");
  EXPECT_NE(phone::first_problem("<p>a < b</p>"), "");
  EXPECT_EQ(phone::element_x_ios("<p>a<span>lost</span>b</p>"), "ab\n");
}

RC_GTEST_PROP(MatrixMessage, AnyTextStaysText, (const std::string& bytes)) {
  Message message;
  message.title(bytes).paragraph(bytes).entry({bold(bytes)}, Text{code(bytes)}).preformatted(bytes).lines({bytes});
  message.paragraph({link(bytes, bytes), pill(core::UserId(bytes))});
  RC_ASSERT(phone::first_problem(message.html_body()) == "");
  RC_ASSERT(core::is_valid_utf8(message.plain_body()));
}

}  // namespace
}  // namespace steward::matrix
