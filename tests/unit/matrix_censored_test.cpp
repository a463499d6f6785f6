// What proves that an event was censored, and all that does not.
#include <gtest/gtest.h>

#include "matrix/censored.hpp"

namespace steward::matrix {
namespace {

std::string event(const std::string& content, const std::string& type = "m.room.message") {
  return R"({"type":")" + type + R"(","sender":"@a:hs","room_id":"!r:hs","content":)" + content + R"(,"depth":7,"hashes":{"sha256":"x"},"prev_events":["$p"]})";
}

TEST(Censored, EmptyContentIsProof) {
  EXPECT_TRUE(is_censored(event("{}")));
  EXPECT_TRUE(is_censored(event(" {\n} ")));
  EXPECT_TRUE(is_censored(R"({"content":{}})"));
}

TEST(Censored, AnyContentIsNone) {
  for (const char* content : {R"({"a":1})", R"({"body":""})", R"({"":{}})", R"({"content":{}})", "null", "[]", "\"\"", "0", "false", "\"{}\""})
    EXPECT_FALSE(is_censored(event(content))) << content;
}

TEST(Censored, ContentMustBeThereAtTheTop) {
  EXPECT_FALSE(is_censored(R"({"type":"m.room.message"})"));
  EXPECT_FALSE(is_censored(R"({"unsigned":{"content":{}}})"));
  EXPECT_FALSE(is_censored(R"([{"content":{}}])"));
  EXPECT_FALSE(is_censored(R"({"Content":{}})"));
}

// Python and Synapse take the last of two, and so does the bot.
TEST(Censored, OfTwoContentsTheLastCounts) {
  EXPECT_FALSE(is_censored(R"({"content":{},"content":{"body":"x"}})"));
}

TEST(Censored, NulCharactersAreTextLikeAnyOther) {
  EXPECT_FALSE(is_censored(event(R"({"body":"\u0000"})")));
  EXPECT_TRUE(is_censored(R"({"content":{},"unsigned":{"x":"\u0000"}})"));
}

TEST(Censored, LoneSurrogatesCannotBeReadAndProveNothing) {
  EXPECT_FALSE(is_censored(event(R"({"body":"\ud800"})")));
  EXPECT_FALSE(is_censored(event(R"({"body":"\udc00\ud800"})")));
  EXPECT_FALSE(is_censored(R"({"content":{},"unsigned":{"x":"\ud800"}})"));
}

TEST(Censored, BrokenJsonProvesNothing) {
  for (const char* text : {"", " ", "{", R"({"content":{})", R"({"content":{}}x)", R"({"content":{},})", R"({'content':{}})", "null", "{}", "\xff\xfe", R"({"content":{"body":"x)"})
    EXPECT_FALSE(is_censored(text)) << text;
  EXPECT_FALSE(is_censored("{\"content\":{},\"x\":\"\xc3\"}"));
}

TEST(Censored, OfAMembershipOnlyWhatARedactionLeaves) {
  const char* member = "m.room.member";
  EXPECT_TRUE(is_censored(event(R"({"membership":"join"})", member)));
  EXPECT_TRUE(is_censored(event(R"({"membership":"join","join_authorised_via_users_server":"@a:hs"})", member)));
  EXPECT_TRUE(is_censored(event(R"({"membership":"invite","third_party_invite":{"signed":{}}})", member)));
  EXPECT_FALSE(is_censored(event(R"({"membership":"join","displayname":null})", member)));
  EXPECT_FALSE(is_censored(event(R"({"membership":"join","avatar_url":"mxc://hs/x"})", member)));
  EXPECT_FALSE(is_censored(event(R"({"membership":"ban","reason":"rude"})", member)));
  EXPECT_FALSE(is_censored(event(R"({"membership":"invite","third_party_invite":{"signed":{},"display_name":"x"}})", member)));
  EXPECT_FALSE(is_censored(event(R"({"membership":"join"})", "m.room.message")));
}

}  // namespace
}  // namespace steward::matrix
