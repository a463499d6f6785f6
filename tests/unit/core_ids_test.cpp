#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "core/ids.hpp"

namespace steward::core {
namespace {

TEST(ServerName, FollowsTheGrammar) {
  for (const std::string& text :
       std::vector<std::string>{"hs.test", "hs.test:8448", "localhost", "1.2.3.4", "1.2.3.4:80", "[::1]",
                                "[1234:5678::abcd]:5678", "XN--A.example"}) {
    EXPECT_TRUE(is_server_name(text)) << text;
  }
  for (const std::string& text : std::vector<std::string>{"", ":8448", "hs.test:", "hs.test:123456", "hs.test:70000",
                                                          "hs test", "hs/test", "[::1", "[::1]8448", "[zz::1]", "[]",
                                                          "hs.test:8448:1", "hs_test", "hś.test", "user@hs.test"}) {
    EXPECT_FALSE(is_server_name(text)) << text;
  }
}

TEST(RoomId, ServerIsOptional) {
  for (const std::string& text : std::vector<std::string>{
           "!abc:hs.test", "!abc:hs.test:8448", "!8UkqMnym0typt3OyYm1_JG3hCd1-xf_Or1oiXLsMhNo", "!a/b:hs", "!é:hs"}) {
    EXPECT_TRUE(parse_room_id(text)) << text;
  }
  for (const std::string& text :
       std::vector<std::string>{std::string(""), std::string("!"), std::string("!:hs"), std::string("abc:hs"),
                                std::string("#abc:hs"), std::string("!abc:"), std::string("!a\nb:hs"),
                                std::string("!a\0b:hs", 7), std::string("!\xff:hs"), "!" + std::string(255, 'a')}) {
    EXPECT_FALSE(parse_room_id(text)) << text;
  }
}

TEST(UserId, HasBothParts) {
  const auto user = parse_user_id("@alice:hs.test:8448");
  ASSERT_TRUE(user);
  EXPECT_EQ(localpart(*user), "alice");
  EXPECT_EQ(server_of(*user), "hs.test:8448");
  EXPECT_TRUE(parse_user_id("@Alice_Of_Old Times:hs.test"));
  for (const std::string& text : std::vector<std::string>{
           "@alice", "@:hs.test", "alice:hs.test", "@alice:", "@alice:hs test", "@alice\x01:hs", "@alice\u0085:hs"}) {
    EXPECT_FALSE(parse_user_id(text)) << text;
  }
  EXPECT_EQ(localpart(UserId()), "");
  EXPECT_EQ(server_of(UserId()), "");
  EXPECT_FALSE(parse_user_id("@" + std::string(250, 'a') + ":hs.test"));
}

TEST(OtherIds, Grammar) {
  EXPECT_TRUE(parse_event_id("$abc"));
  EXPECT_TRUE(parse_event_id("$abc:hs.test"));
  EXPECT_FALSE(parse_event_id("$"));
  EXPECT_TRUE(parse_room_alias("#kitchen:hs.test"));
  EXPECT_FALSE(parse_room_alias("#kitchen"));
  const auto media = parse_media_id("mxc://hs.test:8448/abcDEF_-09");
  ASSERT_TRUE(media);
  EXPECT_EQ(media->server, "hs.test:8448");
  EXPECT_EQ(media->str(), "mxc://hs.test:8448/abcDEF_-09");
  for (const std::string& text :
       std::vector<std::string>{"mxc://hs.test", "mxc://hs.test/", "mxc:///a", "mxc://hs.test/a/b", "mxc://hs.test/..",
                                "mxc://hs.test/a?b", "http://hs.test/a"}) {
    EXPECT_FALSE(parse_media_id(text)) << text;
  }
}

TEST(Ids, CompareAndHash) {
  const std::unordered_set<RoomId> rooms{RoomId("!a"), RoomId("!b"), RoomId("!a")};
  EXPECT_EQ(rooms.size(), 2U);
  EXPECT_LT(RoomId("!a"), RoomId("!b"));
  EXPECT_TRUE(UserId().empty());
}

RC_GTEST_PROP(IdProperty, AcceptedIdsKeepTheirText, (const std::string& tail)) {
  const std::string text = "@" + tail + ":hs.test";
  const auto user = parse_user_id(text);
  if (!user) return;
  RC_ASSERT(user->str() == text);
  RC_ASSERT("@" + std::string(localpart(*user)) + ":" + std::string(server_of(*user)) == text);
}

}  // namespace
}  // namespace steward::core
