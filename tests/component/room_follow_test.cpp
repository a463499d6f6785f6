// The admin room's fate: members, rules, removal, upgrade, invitations; and what the bot says meanwhile.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "core/text.hpp"
#include "room_fixture.hpp"

namespace steward::room {
namespace {

using core::RoomId;
using core::UserId;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* stranger = "@mallory:hs.test";

class FollowTest : public RoomTest {
 protected:
  void SetUp() override {
    RoomTest::SetUp();
    if (IsSkipped()) return;
    server.make_room("!home");
    room_options.configured = RoomId("!home");
    restart();
    send();
    get(room->open());
    ASSERT_TRUE(drained());
    said_before = server.bodies("!home").size();
  }

  void observe(const nlohmann::json& event) {
    auto parsed = matrix::parse_event(event.dump());
    ASSERT_TRUE(parsed) << core::describe(parsed.error());
    wait(room->observe(std::move(*parsed)));
  }
  // Changes the server's state and tells the bot.
  void change(const std::string& type, const std::string& key, nlohmann::json content,
              const std::string& sender = RoomHomeserver::admin) {
    observe(server.add_state("!home", type, key, std::move(content), sender));
  }
  void invite(const std::string& target, const std::string& sender, nlohmann::json stripped = nlohmann::json::array()) {
    const auto found = server.rooms.find(target);
    if (found != server.rooms.end()) found->second.invited = true;
    observe({{"type", "m.room.member"}, {"state_key", RoomHomeserver::bot}, {"sender", sender}, {"room_id", target},
             {"event_id", "$invite" + target}, {"content", {{"membership", "invite"}}},
             {"unsigned", {{"invite_room_state", std::move(stripped)}}}});
  }
  static nlohmann::json stripped(const std::string& type, nlohmann::json content) {
    return {{"type", type}, {"state_key", ""}, {"sender", RoomHomeserver::admin}, {"content", std::move(content)}};
  }
  RoomHomeserver::Room& others_room(const std::string& id) {
    RoomHomeserver::Room& made = server.make_room(id);
    made.joined = false;
    return made;
  }
  void lose_home() {
    server.rooms["!home"].joined = false;
    change("m.room.member", RoomHomeserver::bot, {{"membership", "leave"}});
  }
  // What was said since the start.
  std::vector<std::string> said(const std::string& where = "!home") {
    auto all = server.bodies(where);
    if (where == "!home") all.erase(all.begin(), all.begin() + static_cast<long>(said_before));
    return all;
  }

  std::size_t said_before = 0;
};

TEST_F(FollowTest, KnowsWhoIsJoined) {
  change("m.room.member", "@bob:hs.test", {{"membership", "invite"}});
  EXPECT_FALSE(room->members().contains(UserId("@bob:hs.test")));
  change("m.room.member", "@bob:hs.test", {{"membership", "join"}}, "@bob:hs.test");
  EXPECT_TRUE(room->members().contains(UserId("@bob:hs.test")));
  change("m.room.member", "@bob:hs.test", {{"membership", "ban"}});
  EXPECT_FALSE(room->members().contains(UserId("@bob:hs.test")));
  EXPECT_TRUE(room->usable());
}

TEST_F(FollowTest, WhoJoinedWhileTheRoomIsStillBeingReadIsAMember) {
  auto joined = matrix::parse_event(server.add_state("!home", "m.room.member", "@bob:hs.test", {{"membership", "join"}}, "@bob:hs.test").dump());
  ASSERT_TRUE(joined);
  auto opening = [this]() -> boost::asio::awaitable<void> { co_await room->open(); };
  auto observing = [this, event = std::move(*joined)]() -> boost::asio::awaitable<void> { co_await room->observe(event); };
  boost::asio::co_spawn(io, opening, boost::asio::detached);
  boost::asio::co_spawn(io, observing, boost::asio::detached);
  EXPECT_TRUE(get(room->is_member(UserId("@bob:hs.test"))));
}

TEST_F(FollowTest, AJoinThatNoEventTellsOfIsLookedUp) {
  EXPECT_FALSE(get(room->is_member(UserId("@bob:hs.test"))));
  server.add_state("!home", "m.room.member", "@bob:hs.test", {{"membership", "join"}}, "@bob:hs.test");
  EXPECT_TRUE(get(room->is_member(UserId("@bob:hs.test"))));
  EXPECT_TRUE(room->members().contains(UserId("@bob:hs.test")));
  lose_home();
  EXPECT_FALSE(get(room->is_member(UserId("@eve:hs.test")))) << "the room cannot be asked";
}

TEST_F(FollowTest, AKickSilencesTheBotUntilAnAdminInvitesItAgain) {
  lose_home();
  EXPECT_FALSE(room->usable());
  EXPECT_THAT(room->unusable_because(), HasSubstr("@ann:hs.test removed the bot"));
  const int sends = server.asked("/send/");
  EXPECT_TRUE(say("receipt"));  // kept, not sent into the void
  EXPECT_TRUE(drained());
  EXPECT_EQ(server.asked("/send/"), sends);
  invite("!home", stranger);
  EXPECT_FALSE(room->usable());
  invite("!home", RoomHomeserver::admin);
  EXPECT_TRUE(room->usable()) << room->unusable_because();
  EXPECT_TRUE(drained());
  EXPECT_THAT(said(), Contains("receipt"));
}

TEST_F(FollowTest, WhatWaitsForARoomThatRemovedUsOutlivesARestart) {
  lose_home();
  EXPECT_TRUE(say("receipt"));
  restart();
  EXPECT_FALSE(ask(room->open()));
  send();
  EXPECT_TRUE(drained());
  EXPECT_EQ(value("SELECT state FROM outbox WHERE cause = 'receipt'"), "waiting");
  invite("!home", RoomHomeserver::admin);
  EXPECT_TRUE(drained());
  EXPECT_THAT(said(), Contains("receipt"));
}

TEST_F(FollowTest, ADeletedRoomIsNoticed) {
  change("m.room.member", RoomHomeserver::bot, {{"membership", "leave"}}, RoomHomeserver::bot);
  EXPECT_FALSE(room->usable());
}

TEST_F(FollowTest, EncryptionEndsTheConversationWithOnePlainSentence) {
  const nlohmann::json encryption{{"algorithm", "m.megolm.v1.aes-sha2"}};
  change("m.room.encryption", "", encryption);
  EXPECT_FALSE(room->usable());
  EXPECT_THAT(said(), ElementsAre(HasSubstr("cannot read encrypted messages")));
  EXPECT_EQ(server.rooms["!home"].timeline.back()["content"]["msgtype"], "m.notice");
  change("m.room.encryption", "", encryption);  // the transaction came twice
  EXPECT_FALSE(say("secret"));
  EXPECT_TRUE(drained());
  EXPECT_THAT(said(), SizeIs(1));
  observe({{"type", "m.room.encryption"}, {"state_key", ""}, {"sender", RoomHomeserver::admin}, {"room_id", "!home"},
           {"event_id", "$none"}, {"content", nlohmann::json::object()}});
  EXPECT_FALSE(room->usable());  // never a downgrade
}

TEST_F(FollowTest, AnOpenRoomIsRefusedUntilItIsClosedAgain) {
  change("m.room.join_rules", "", {{"join_rule", "public"}});
  EXPECT_FALSE(room->usable());
  EXPECT_TRUE(say("held"));
  EXPECT_TRUE(drained());
  EXPECT_THAT(said(), ElementsAre(HasSubstr("anybody may join")));
  change("m.room.join_rules", "", {{"join_rule", "invite"}});
  EXPECT_TRUE(room->usable());
  EXPECT_TRUE(drained());
  EXPECT_THAT(said(), Contains("held"));
  change("m.room.history_visibility", "", {{"history_visibility", "world_readable"}});
  EXPECT_FALSE(room->usable());
}

TEST_F(FollowTest, StrangersPublicRoomsAndSpacesAreRejected) {
  lose_home();  // so that nothing but the invitation itself stands against it
  restart();
  room_options.configured = RoomId();
  database->sql().exec("DELETE FROM setting");
  others_room("!theirs");
  others_room("!public");
  others_room("!space");
  invite("!theirs", stranger);
  invite("!public", RoomHomeserver::admin, {stripped("m.room.join_rules", {{"join_rule", "public"}})});
  invite("!space", RoomHomeserver::admin, {stripped("m.room.create", {{"type", "m.space"}})});
  EXPECT_EQ(server.asked("/join/"), 0);
  EXPECT_EQ(server.asked("/leave"), 3);
  EXPECT_TRUE(room->id().empty());
}

TEST_F(FollowTest, AnAdminsInvitationElsewhereIsDeclinedWithAWordWhileThereIsARoom) {
  others_room("!second");
  invite("!second", RoomHomeserver::admin);
  EXPECT_TRUE(drained());
  EXPECT_FALSE(server.rooms["!second"].joined);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("I declined the invitation")));
  EXPECT_EQ(room->id().str(), "!home");
}

TEST_F(FollowTest, AnEncryptedRoomGetsOneSentenceAndIsLeft) {
  others_room("!sealed");
  invite("!sealed", RoomHomeserver::admin, {stripped("m.room.encryption", {{"algorithm", "m.megolm.v1.aes-sha2"}})});
  EXPECT_THAT(server.bodies("!sealed"), ElementsAre(HasSubstr("without encryption")));
  EXPECT_FALSE(server.rooms["!sealed"].joined);
  EXPECT_TRUE(room->usable());
}

class AdoptTest : public FollowTest {
 protected:
  void SetUp() override {
    FollowTest::SetUp();
    if (IsSkipped()) return;
    server.rooms.erase("!home");
    others_room("!closed");  // the bot was removed
    room_options.configured = RoomId();
    database->sql().exec("DELETE FROM setting; INSERT INTO setting (key, value) VALUES ('room.id', '!closed')");
    restart();
    send();
    ASSERT_FALSE(ask(room->open()));
  }
};

TEST_F(AdoptTest, WithoutARoomAnAdminsInvitationBecomesIt) {
  others_room("!new");
  invite("!new", RoomHomeserver::admin);
  EXPECT_EQ(room->id().str(), "!new");
  EXPECT_TRUE(room->usable());
  EXPECT_TRUE(drained());
  EXPECT_THAT(server.bodies("!new"), Contains(HasSubstr("The first commands")));
  restart();
  get(room->open());
  EXPECT_EQ(room->id().str(), "!new");
}

TEST_F(AdoptTest, ARoomThatTurnsOutEncryptedOrOpenIsLeft) {
  others_room("!sealed");
  server.add_state("!sealed", "m.room.encryption", "", {{"algorithm", "m.megolm.v1.aes-sha2"}});
  invite("!sealed", RoomHomeserver::admin);  // the stripped state was silent about it
  EXPECT_THAT(server.bodies("!sealed"), SizeIs(1));
  EXPECT_FALSE(server.rooms["!sealed"].joined);
  others_room("!open");
  server.add_state("!open", "m.room.join_rules", "", {{"join_rule", "public"}});
  invite("!open", RoomHomeserver::admin);
  EXPECT_FALSE(server.rooms["!open"].joined);
  EXPECT_FALSE(room->usable());
}

TEST_F(AdoptTest, AForgedInvitationIsFoundOut) {
  others_room("!evil");
  server.rooms["!evil"].state.clear();
  server.add_state("!evil", "m.room.create", "", {{"room_version", "12"}}, stranger);
  server.add_state("!evil", "m.room.member", stranger, {{"membership", "join"}}, stranger);
  invite("!evil", RoomHomeserver::admin);  // says the transaction; the room knows no such member
  EXPECT_FALSE(server.rooms["!evil"].joined);
  EXPECT_EQ(room->id().str(), "!closed");
}

class UpgradeTest : public FollowTest {
 protected:
  RoomHomeserver::Room& successor(const std::string& predecessor = "!home") {
    RoomHomeserver::Room& made = others_room("!next");
    server.add_state("!next", "m.room.create", "", {{"predecessor", {{"room_id", predecessor}}}});  // v12: no event_id
    return made;
  }
  void tombstone(const std::string& sender) {
    change("m.room.tombstone", "", {{"body", "moved"}, {"replacement_room", "!next"}}, sender);
  }
};

TEST_F(UpgradeTest, WaitsForTheInvitationAndKeepsWhatIsSaidForTheNewRoom) {
  successor();
  tombstone(RoomHomeserver::admin);
  EXPECT_EQ(server.asked("/join/!next"), 1);
  EXPECT_FALSE(room->usable());
  EXPECT_THAT(room->unusable_because(), HasSubstr("!next"));
  EXPECT_TRUE(say("report"));
  EXPECT_TRUE(drained());
  invite("!next", RoomHomeserver::admin);
  EXPECT_EQ(room->id().str(), "!next");
  EXPECT_TRUE(room->usable()) << room->unusable_because();
  EXPECT_TRUE(drained());
  EXPECT_THAT(server.bodies("!next"), Contains("report"));
  EXPECT_THAT(said(), IsEmpty());
  // The config still names the old room: the bot stays where it was led.
  restart();
  get(room->open());
  EXPECT_EQ(room->id().str(), "!next");
}

TEST_F(UpgradeTest, GoesAtOnceWhenItMay) {
  successor().invited = true;
  tombstone(RoomHomeserver::admin);
  EXPECT_EQ(room->id().str(), "!next");
  EXPECT_TRUE(room->usable());
}

TEST_F(UpgradeTest, AWaitingMoveSurvivesARestart) {
  successor();
  tombstone(RoomHomeserver::admin);
  restart();
  EXPECT_FALSE(ask(room->open()));
  server.rooms["!next"].invited = true;
  get(room->open());
  EXPECT_EQ(room->id().str(), "!next");
}

TEST_F(UpgradeTest, AStrangersTombstoneIsOnlyWarnedOf) {
  successor().invited = true;
  tombstone(stranger);
  EXPECT_TRUE(drained());
  EXPECT_EQ(server.asked("/join/"), 0);
  EXPECT_TRUE(room->usable());
  EXPECT_THAT(said(), ElementsAre(HasSubstr("I do not follow")));
}

TEST_F(UpgradeTest, AForgedTombstoneIsNotInTheRoomsState) {
  successor().invited = true;
  observe({{"type", "m.room.tombstone"}, {"state_key", ""}, {"sender", RoomHomeserver::admin}, {"room_id", "!home"},
           {"event_id", "$forged"}, {"content", {{"replacement_room", "!next"}}}});
  EXPECT_EQ(server.asked("/join/"), 0);
  EXPECT_TRUE(room->usable());
}

TEST_F(UpgradeTest, ARoomThatIsNoSuccessorIsLeft) {
  successor("!another").invited = true;
  tombstone(RoomHomeserver::admin);
  EXPECT_EQ(room->id().str(), "!home");
  EXPECT_FALSE(server.rooms["!next"].joined);
  EXPECT_FALSE(room->usable());
}

// Both arrive in one transaction and are handled side by side.
TEST_F(UpgradeTest, TombstoneAndInvitationTogetherMoveOnce) {
  successor().invited = true;
  const auto grave = server.add_state("!home", "m.room.tombstone", "", {{"replacement_room", "!next"}});
  auto first = matrix::parse_event(grave.dump());
  nlohmann::json second{{"type", "m.room.member"}, {"state_key", RoomHomeserver::bot}, {"sender", RoomHomeserver::admin},
                        {"room_id", "!next"}, {"event_id", "$invite"}, {"content", {{"membership", "invite"}}}};
  auto parsed = matrix::parse_event(second.dump());
  int ended = 0;
  for (auto* event : {&*first, &*parsed}) {
    tasks->spawn("observe", [this, event, &ended]() -> boost::asio::awaitable<void> {
      co_await room->observe(*event);
      ++ended;
    });
  }
  EXPECT_TRUE(until([&] { return ended == 2; }));
  EXPECT_EQ(room->id().str(), "!next");
  EXPECT_TRUE(server.rooms["!next"].joined);
  EXPECT_TRUE(room->usable());
}

TEST_F(FollowTest, ATextTooLongForAnEventBecomesAFirstPartAndAFile) {
  matrix::Message longest;
  for (int line = 0; line < 4000; ++line) longest.entry("line " + std::to_string(line) + " of a long answer");
  get(room->say("long", longest, matrix::Envelope()));
  EXPECT_TRUE(drained());
  const auto& timeline = server.rooms["!home"].timeline;
  ASSERT_GE(timeline.size(), 2U);
  EXPECT_THAT(said().at(0), HasSubstr("in the file below"));
  EXPECT_EQ(timeline.back()["content"]["msgtype"], "m.file");
  EXPECT_EQ(timeline.back()["content"]["info"]["mimetype"], "text/plain");
  EXPECT_EQ(value("SELECT count(*) FROM upload"), "1");
}

TEST_F(FollowTest, AFileThatCannotBeUploadedIsAdmitted) {
  server.refuse("/media/v3/upload", 413, "M_TOO_LARGE");
  matrix::Message longest;
  for (int line = 0; line < 4000; ++line) longest.entry("line " + std::to_string(line) + " of a long answer");
  get(room->say("long", longest, matrix::Envelope()));
  EXPECT_TRUE(drained());
  EXPECT_THAT(said().back(), HasSubstr("could not be uploaded"));
}

TEST_F(FollowTest, AnEditTooLongIsCut) {
  const auto event = get(room->say_and_wait("first", message("first"), matrix::Envelope(), soon));
  matrix::Message longest;
  for (int line = 0; line < 4000; ++line) longest.entry("line " + std::to_string(line) + " of a long answer");
  get(room->edit("second", longest, matrix::Envelope(), event));
  EXPECT_TRUE(drained());
  const auto& content = server.rooms["!home"].timeline.back()["content"];
  EXPECT_THAT(content["m.new_content"]["body"].get<std::string>(), HasSubstr("Cut here"));
}

}  // namespace
}  // namespace steward::room
