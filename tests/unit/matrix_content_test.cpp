// The content of the events the bot sends: facts/matrix-protocol.md §3.1 and §3.2.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "matrix/message.hpp"

namespace steward::matrix {
namespace {

using nlohmann::json;

Message two_lines() {
  Message message;
  message.title("Done").paragraph("3 rooms");
  return message;
}

json parsed(const std::string& content) { return json::parse(content); }

TEST(MatrixContent, ANoticeRingsNobody) {
  EXPECT_EQ(parsed(message_content(two_lines(), Envelope())),
            json::parse(R"({"msgtype":"m.notice","body":"Done\n3 rooms","format":"org.matrix.custom.html",
              "formatted_body":"<p><strong>Done</strong></p><p>3 rooms</p>","m.mentions":{}})"));
}

TEST(MatrixContent, ATextWithMentionsRings) {
  Envelope envelope;
  envelope.notice = false;
  envelope.mentions = {core::UserId("@alice:hs.test"), core::UserId("@bob:hs.test")};
  const json content = parsed(message_content(two_lines(), envelope));
  EXPECT_EQ(content["msgtype"], "m.text");
  EXPECT_EQ(content["m.mentions"], json::parse(R"({"user_ids":["@alice:hs.test","@bob:hs.test"]})"));
}

TEST(MatrixContent, RepliesAndThreads) {
  Envelope envelope;
  envelope.reply_to = core::EventId("$cmd");
  EXPECT_EQ(parsed(message_content(two_lines(), envelope))["m.relates_to"],
            json::parse(R"({"m.in_reply_to":{"event_id":"$cmd"}})"));
  envelope.thread = core::EventId("$root");
  EXPECT_EQ(parsed(message_content(two_lines(), envelope))["m.relates_to"],
            json::parse(R"({"rel_type":"m.thread","event_id":"$root","is_falling_back":true,
              "m.in_reply_to":{"event_id":"$cmd"}})"));
  envelope.reply_to = core::EventId();
  EXPECT_EQ(parsed(message_content(two_lines(), envelope))["m.relates_to"]["m.in_reply_to"]["event_id"], "$root");
}

TEST(MatrixContent, AnEditNeverRingsButKeepsItsMentions) {
  Envelope envelope;
  envelope.notice = false;
  envelope.mentions = {core::UserId("@alice:hs.test")};
  envelope.reply_to = core::EventId("$cmd");
  const json content = parsed(edit_content(two_lines(), envelope, core::EventId("$first")));
  EXPECT_EQ(content["body"], "* Done");
  EXPECT_EQ(content["msgtype"], "m.text");
  EXPECT_EQ(content["m.mentions"], json::object());
  EXPECT_EQ(content["m.relates_to"], json::parse(R"({"rel_type":"m.replace","event_id":"$first"})"));
  EXPECT_EQ(content["m.new_content"]["body"], "Done\n3 rooms");
  EXPECT_EQ(content["m.new_content"]["formatted_body"], "<p><strong>Done</strong></p><p>3 rooms</p>");
  EXPECT_EQ(content["m.new_content"]["m.mentions"], json::parse(R"({"user_ids":["@alice:hs.test"]})"));
  EXPECT_FALSE(content["m.new_content"].contains("m.relates_to"));  // the relation of the first event stays
}

TEST(MatrixContent, AReactionAndAFile) {
  EXPECT_EQ(parsed(reaction_content(core::EventId("$cmd"), "✅")),
            json::parse(R"({"m.relates_to":{"rel_type":"m.annotation","event_id":"$cmd","key":"✅"}})"));
  FileInfo file;
  file.name = "rooms.csv";
  file.mxc = "mxc://hs.test/abc";
  file.mimetype = "text/csv";
  file.size = 123;
  EXPECT_EQ(parsed(file_content(file, Envelope())),
            json::parse(R"({"msgtype":"m.file","body":"rooms.csv","filename":"rooms.csv","url":"mxc://hs.test/abc",
              "info":{"mimetype":"text/csv","size":123},"m.mentions":{}})"));
  file.caption = "48 rooms";
  EXPECT_EQ(parsed(file_content(file, Envelope()))["body"], "48 rooms");
}

TEST(MatrixContent, APictureSaysItsSizeAndItsNumbers) {
  FileInfo picture;
  picture.name = "tables.png";
  picture.mxc = "mxc://hs.test/abc";
  picture.mimetype = "image/png";
  picture.caption = "Largest tables: events 2.0 kB";
  picture.size = 99;
  picture.width = 1080;
  picture.height = 675;
  EXPECT_EQ(parsed(file_content(picture, Envelope())),
            json::parse(R"({"msgtype":"m.image","body":"Largest tables: events 2.0 kB","filename":"tables.png","url":"mxc://hs.test/abc",
              "info":{"mimetype":"image/png","size":99,"w":1080,"h":675},"m.mentions":{}})"));
}

TEST(MatrixContent, InvalidBytesDoNotThrow) {
  Message message;
  message.paragraph("a\xFF");
  EXPECT_EQ(parsed(message_content(message, Envelope()))["body"], "a\uFFFD");
  EXPECT_EQ(parsed(reaction_content(core::EventId("$a"), "\xFF"))["m.relates_to"]["key"], "\uFFFD");
  FileInfo file;
  file.name = "\xC3";
  EXPECT_EQ(parsed(file_content(file, Envelope()))["body"], "\uFFFD");
}

TEST(MatrixContent, SizeIsCountedAsSent) {
  Message fits;
  fits.paragraph(std::string(31'000, 'a'));  // once plain, once as HTML
  EXPECT_TRUE(fits_in_event(message_content(fits, Envelope())));
  EXPECT_TRUE(fits_in_event(edit_content(fits, Envelope(), core::EventId("$first"))) == false);
  Message too_long;
  too_long.paragraph(std::string(33'000, 'a'));
  EXPECT_FALSE(fits_in_event(message_content(too_long, Envelope())));
  Message newlines;
  newlines.preformatted(std::string(16'500, '\n') + "x");  // each is two bytes in each body
  EXPECT_FALSE(fits_in_event(message_content(newlines, Envelope())));
}

}  // namespace
}  // namespace steward::matrix
