// The table of invitations, and a room's facts out of its state.
#include <gtest/gtest.h>

#include "room/invitation.hpp"
#include "room/json_fields.hpp"
#include "room/room_facts.hpp"

namespace steward::room {
namespace {

using Act = InvitationAnswer::Act;
using core::RoomId;
using core::UserId;

matrix::Event invitation(const std::string& room, const std::string& join_rule = "invite", bool encrypted = false,
                         const std::string& room_type = "") {
  matrix::Event event;
  event.room_id = RoomId(room);
  matrix::Event::Invitation stripped;
  stripped.join_rule = join_rule;
  stripped.encrypted = encrypted;
  stripped.room_type = room_type;
  event.invitation = stripped;
  return event;
}

TEST(Invitation, EachCaseHasItsAnswer) {
  InvitationSetting none;  // no room
  none.by_admin = true;
  InvitationSetting home = none;
  home.have_room = true;
  home.room = RoomId("!home");
  InvitationSetting lost = home;
  lost.have_room = false;
  InvitationSetting moving = lost;
  moving.successor = RoomId("!next");
  InvitationSetting stranger = none;
  stranger.by_admin = false;
  InvitationSetting stranger_moving = moving;
  stranger_moving.by_admin = false;

  struct Row {
    const char* what;
    matrix::Event event;
    InvitationSetting setting;
    Act act;
  };
  const std::vector<Row> rows = {
      {"an admin, no room", invitation("!a"), none, Act::adopt},
      {"the same without a join rule told", invitation("!a", ""), none, Act::adopt},
      {"knocking needs an invitation, too", invitation("!a", "knock"), none, Act::adopt},
      {"a stranger", invitation("!a"), stranger, Act::reject},
      {"a stranger to the successor", invitation("!next"), stranger_moving, Act::reject},
      {"public", invitation("!a", "public"), none, Act::reject},
      {"restricted", invitation("!a", "restricted"), none, Act::reject},
      {"a space", invitation("!a", "invite", false, "m.space"), none, Act::reject},
      {"an encrypted space", invitation("!a", "invite", true, "m.space"), none, Act::reject},
      {"encrypted", invitation("!a", "invite", true), none, Act::explain_encrypted},
      {"encrypted while there is a room", invitation("!a", "invite", true), home, Act::explain_encrypted},
      {"another room while there is one", invitation("!a"), home, Act::reject},
      {"our room again", invitation("!home"), lost, Act::rejoin},
      {"our room, now public", invitation("!home", "public"), lost, Act::reject},
      {"another one while ours is lost", invitation("!a"), lost, Act::adopt},
      {"the announced successor", invitation("!next"), moving, Act::join_successor},
      {"another one while moving", invitation("!a"), moving, Act::adopt},
  };
  for (const Row& row : rows) {
    const InvitationAnswer answer = answer_to(row.event, row.setting);
    EXPECT_EQ(answer.act, row.act) << row.what;
    EXPECT_EQ(answer.act == Act::reject, !answer.why.empty()) << row.what;
  }
  matrix::Event bare = invitation("!a");
  bare.invitation.reset();
  EXPECT_EQ(answer_to(bare, none).act, Act::adopt);
}

matrix::Event state(const std::string& type, const std::string& key = "") {
  matrix::Event event;
  event.type = type;
  event.state_key = key;
  event.sender = UserId("@ann:hs.test");
  return event;
}

TEST(RoomFacts, SayWhyARoomCannotBeUsed) {
  const UserId bot("@steward:hs.test");
  RoomFacts facts;
  EXPECT_EQ(why_unusable(facts), "the bot is not in the room any more");
  matrix::Event own = state("m.room.member", bot.str());
  own.membership = "join";
  apply(facts, own, bot);
  EXPECT_EQ(why_unusable(facts), "");
  for (const auto& [rule, usable] : std::vector<std::pair<std::string, bool>>{{"public", false},
                                                                           {"restricted", false},
                                                                           {"knock_restricted", false},
                                                                           {"knock", true},
                                                                           {"invite", true},
                                                                           {"", true}}) {
    matrix::Event rules = state("m.room.join_rules");
    rules.join_rule = rule;
    apply(facts, rules, bot);
    EXPECT_EQ(why_unusable(facts).empty(), usable) << rule;
  }
  apply(facts, state("m.room.join_rules", "some key"), bot);  // not the room's rule
  matrix::Event message = state("m.room.encryption");
  message.state_key.reset();
  apply(facts, message, bot);  // no state event
  EXPECT_EQ(why_unusable(facts), "");
  own.membership = "leave";
  own.sender = bot;
  apply(facts, own, bot);
  EXPECT_EQ(why_unusable(facts), "the bot is not in the room any more");
  own.membership = "ban";
  own.sender = UserId("@ann:hs.test");
  apply(facts, own, bot);
  EXPECT_EQ(why_unusable(facts), "@ann:hs.test removed the bot from the room");
}

TEST(JsonFields, AreTolerant) {
  const std::string text = R"({"a":{"b":"x","n":1},"list":["p",2,"q"],"net.synapse_steward.room":"i"})";
  EXPECT_EQ(text_at(text, "/a/b"), "x");
  EXPECT_EQ(text_at(text, "/net.synapse_steward.room"), "i");
  for (const char* pointer : {"/a/n", "/a/c", "/a/b/c", "/list", "/list/9", "/list/x"}) EXPECT_EQ(text_at(text, pointer), "") << pointer;
  for (const char* broken : {"", "{", "null", "[]", "7"}) EXPECT_EQ(text_at(broken, "/a/b"), "") << broken;
  EXPECT_EQ(texts_at(text, "/list"), (std::vector<std::string>{"p", "q"}));
  EXPECT_TRUE(texts_at(text, "/a").empty());
}

}  // namespace
}  // namespace steward::room
