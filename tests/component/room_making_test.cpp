// Making and finding the admin room: its settings, crash points, forced encryption, what open() says when it cannot.
#include "room_fixture.hpp"

namespace steward::room {
namespace {

using core::Code;
using core::RoomId;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* marker = "net.synapse_steward.room";
constexpr const char* tag = "net.synapse-steward.admin";

class MakingTest : public RoomTest {
 protected:
  int rooms_made() const { return server.asked("createRoom"); }
  std::string pinned() const {
    for (const auto& event : server.rooms.at("!made1").state) {
      if (event["type"] == "m.room.pinned_events") return event["content"].dump();
    }
    return {};
  }
};

TEST_F(MakingTest, MakesAPlainPrivateRoomInvitesAndWelcomesOnce) {
  send();
  get(room->open());
  EXPECT_EQ(room->id().str(), "!made1");
  EXPECT_TRUE(room->usable()) << room->unusable_because();
  const auto& request = server.bodies_sent.at(0);
  EXPECT_EQ(request["preset"], "public_chat");
  EXPECT_EQ(request["visibility"], "private");
  EXPECT_EQ(request["creation_content"]["m.federate"], false);
  EXPECT_FALSE(request["creation_content"].contains("additional_creators"));
  EXPECT_FALSE(request["power_level_content_override"].contains("users"));
  EXPECT_EQ(request["power_level_content_override"]["invite"], 100);
  EXPECT_EQ(request["power_level_content_override"]["events_default"], 0);
  EXPECT_THAT(request["initial_state"].dump(), HasSubstr(R"("join_rule":"invite")"));
  EXPECT_THAT(request["initial_state"].dump(), HasSubstr(R"("guest_access":"forbidden")"));
  EXPECT_FALSE(request.contains("invite"));  // only once it is known to be plain
  EXPECT_EQ(server.asked("/invite"), 1);
  EXPECT_TRUE(server.rooms["!made1"].tags.contains(tag));
  EXPECT_TRUE(until([&] { return value("SELECT count(*) FROM setting WHERE key = 'room.welcomed'") == "1"; }));
  EXPECT_THAT(server.bodies("!made1"), ElementsAre(HasSubstr("!purge-media 30d --dry-run")));
  EXPECT_THAT(pinned(), HasSubstr(server.rooms["!made1"].timeline[0]["event_id"].get<std::string>()));

  restart();
  send();
  get(room->open());
  EXPECT_TRUE(drained());
  EXPECT_EQ(room->id().str(), "!made1");
  EXPECT_EQ(rooms_made(), 1);
  EXPECT_EQ(server.asked("/invite"), 1);
  EXPECT_EQ(server.asked("m.room.pinned_events"), 2);  // the first life's look and pin
}

TEST_F(MakingTest, TheCardIsPinnedAtTheNextStartWhenTheBotDiedBefore) {
  get(room->open());  // no sender yet
  restart();
  send();
  get(room->open());
  EXPECT_TRUE(until([&] { return !pinned().empty(); }));
  EXPECT_EQ(server.bodies("!made1").size(), 1U);
}

TEST_F(MakingTest, ALostAnswerOfTheCreationMakesNoSecondRoom) {
  server.cut("createRoom", Code::in_doubt, /*done_all_the_same=*/true);
  get(room->open());
  EXPECT_EQ(room->id().str(), "!made1");
  EXPECT_EQ(rooms_made(), 1);
}

// Dead between the creation and the store: only the marker in the create event tells.
TEST_F(MakingTest, FindsTheRoomByItsMarkerAfterACrash) {
  server.make_room("!foreign");
  server.cut("m.room.encryption", Code::unavailable, false, 2);  // the first question after the creation
  EXPECT_FALSE(ask(room->open()));
  EXPECT_EQ(rooms_made(), 1);
  EXPECT_FALSE(server.rooms["!made1"].tags.contains(tag));
  EXPECT_EQ(value("SELECT count(*) FROM setting WHERE key = 'room.id'"), "0");
  restart();
  get(room->open());
  EXPECT_EQ(room->id().str(), "!made1");
  EXPECT_EQ(rooms_made(), 1);
  EXPECT_TRUE(server.rooms["!made1"].tags.contains(tag));
  EXPECT_EQ(value("SELECT count(*) FROM setting WHERE key = 'room.intent'"), "0");
}

TEST_F(MakingTest, LeavesARoomWhoseCreationWasCutOffAndMakesAnother) {
  database->sql().exec("INSERT INTO setting (key, value) VALUES ('room.instance', 'abc'), ('room.intent', 'abc')");
  auto& half = server.make_room("!half", RoomHomeserver::bot);
  server.add_state("!half", "m.room.create", "", {{marker, "abc"}}, RoomHomeserver::bot);
  std::erase_if(half.state, [](const auto& event) { return event["type"] == "m.room.power_levels"; });
  get(room->open());
  EXPECT_EQ(room->id().str(), "!made1");
  EXPECT_FALSE(server.rooms["!half"].joined);
}

TEST_F(MakingTest, FindsTheRoomByItsTagWhenTheStoreWasLost) {
  get(room->open());
  database->sql().exec("DELETE FROM setting");
  restart();
  get(room->open());
  EXPECT_EQ(room->id().str(), "!made1");
  EXPECT_EQ(rooms_made(), 1);
}

TEST_F(MakingTest, AnotherStoresMarkerIsNotOurs) {
  database->sql().exec("INSERT INTO setting (key, value) VALUES ('room.instance', 'abc'), ('room.intent', 'abc')");
  server.make_room("!foreign");
  server.add_state("!foreign", "m.room.create", "", {{marker, "xyz"}});
  get(room->open());
  EXPECT_EQ(room->id().str(), "!made1");
}

TEST_F(MakingTest, SaysPlainlyThatAServerWhichEncryptsEverythingCannotWork) {
  server.encrypts_everything = true;
  const auto opened = ask(room->open());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::rejected);
  EXPECT_THAT(opened.error().why, HasSubstr("encryption_enabled_by_default_for_room_type: all"));
  EXPECT_THAT(opened.error().next, HasSubstr("homeserver.yaml"));
  EXPECT_FALSE(server.rooms["!made1"].joined);
  EXPECT_EQ(server.asked("/invite"), 0);
  EXPECT_FALSE(ask(room->open()));
  EXPECT_EQ(rooms_made(), 1);  // a retry makes no heap of rooms
  server.encrypts_everything = false;
  restart();
  get(room->open());
  EXPECT_EQ(room->id().str(), "!made2");
}

TEST_F(MakingTest, AServerThatIsDownIsATemporaryError) {
  server.cut("joined_rooms", Code::unavailable, false, 2);
  const auto opened = ask(room->open());
  ASSERT_FALSE(opened);
  EXPECT_TRUE(core::is_temporary(opened.error()));
  get(room->open());
  EXPECT_TRUE(room->usable());
}

TEST_F(MakingTest, TakesTheConfiguredRoomAlsoByAWaitingInvitation) {
  auto& given = server.make_room("!given");
  given.joined = false;
  given.invited = true;
  room_options.configured = RoomId("!given");
  restart();
  get(room->open());
  EXPECT_EQ(room->id().str(), "!given");
  EXPECT_TRUE(room->members().contains(core::UserId(RoomHomeserver::admin)));
  EXPECT_EQ(rooms_made(), 0);
}

TEST_F(MakingTest, ADeletedRoomIsReplacedUnlessSomebodyChoseIt) {
  get(room->open());
  EXPECT_TRUE(say("for the old one"));
  server.rooms.erase("!made1");
  get(room->open());
  EXPECT_TRUE(room->usable());
  EXPECT_EQ(room->id().str(), "!made2");
  EXPECT_EQ(value("SELECT state FROM outbox WHERE room_id = '!made1' AND cause = 'for the old one'"), "dropped");
}

TEST_F(MakingTest, ADeletionThatNoEventTellsOfIsNoticed) {
  get(room->open());
  wait(room->notice_removal());
  EXPECT_EQ(room->id().str(), "!made1");
  server.rooms.erase("!made1");
  EXPECT_TRUE(room->usable());
  wait(room->notice_removal());
  EXPECT_TRUE(room->usable());
  EXPECT_EQ(room->id().str(), "!made2");
}

TEST_F(MakingTest, ARemovalThatNoEventTellsOfIsNoticed) {
  get(room->open());
  server.rooms["!made1"].joined = false;
  wait(room->notice_removal());
  EXPECT_FALSE(room->usable());
  EXPECT_EQ(rooms_made(), 1);
}

TEST_F(MakingTest, SaysWhatToDoWhenTheBotWasRemoved) {
  get(room->open());
  server.rooms["!made1"].joined = false;
  restart();
  auto opened = ask(room->open());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::not_allowed);
  EXPECT_THAT(opened.error().next, HasSubstr("Invite @steward:hs.test there again"));
  EXPECT_FALSE(room->usable());
  EXPECT_EQ(rooms_made(), 1);
  server.rooms["!made1"].invited = true;
  get(room->open());
  EXPECT_TRUE(room->usable());
}

TEST_F(MakingTest, RefusesAnOpenOrEncryptedRoom) {
  const std::vector<std::pair<std::string, nlohmann::json>> spoilers = {
      {"m.room.encryption", {{"algorithm", "m.megolm.v1.aes-sha2"}}},
      {"m.room.join_rules", {{"join_rule", "public"}}},
      {"m.room.join_rules", {{"join_rule", "restricted"}}},
      {"m.room.history_visibility", {{"history_visibility", "world_readable"}}},
  };
  for (const auto& [type, content] : spoilers) {
    server.rooms.clear();
    server.make_room("!given");
    server.add_state("!given", type, "", content);
    room_options.configured = RoomId("!given");
    restart();
    const auto opened = ask(room->open());
    ASSERT_FALSE(opened) << type;
    EXPECT_EQ(opened.error().code, Code::rejected);
    EXPECT_EQ(opened.error().why, room->unusable_because());
    EXPECT_FALSE(room->usable());
    EXPECT_EQ(server.asked("/invite"), 0);
  }
}

}  // namespace
}  // namespace steward::room
