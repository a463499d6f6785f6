// The outbox: order, faults of the homeserver, exactly once over restarts.
#include "room_fixture.hpp"

namespace steward::room {
namespace {

using core::Code;
using core::EventId;
using testing::ElementsAre;
using testing::HasSubstr;

class OutboxTest : public RoomTest {
 protected:
  void SetUp() override {
    RoomTest::SetUp();
    if (IsSkipped()) return;
    server.make_room("!r");
    server.make_room("!other");
  }
  std::string state_of(const std::string& cause) { return value("SELECT state FROM outbox WHERE cause = '" + cause + "'"); }
};

TEST_F(OutboxTest, SendsInOrderEachCauseOnce) {
  for (const char* cause : {"c1", "c2", "c3", "c2"}) post(cause);
  send();
  EXPECT_TRUE(drained());
  post("c1");
  EXPECT_TRUE(drained());
  EXPECT_THAT(server.bodies("!r"), ElementsAre("c1", "c2", "c3"));
  EXPECT_EQ(value("SELECT count(*) FROM outbox WHERE state = 'sent' AND event_id <> ''"), "3");
  EXPECT_THAT(server.queries.back(), HasSubstr("user_id=@steward:hs.test&device_id=STEWARD"));
}

TEST_F(OutboxTest, RateLimitAndServerErrorsKeepTheOrder) {
  server.refuse("/send/", 429, "M_LIMIT_EXCEEDED");
  server.refuse("/send/", 502, "", 4);
  for (const char* cause : {"c1", "c2", "c3"}) post(cause);
  send();
  EXPECT_TRUE(until([&] { return outbox->failing_since().has_value(); }));
  EXPECT_TRUE(drained());
  EXPECT_THAT(server.bodies("!r"), ElementsAre("c1", "c2", "c3"));
  EXPECT_FALSE(outbox->failing_since());
}

TEST_F(OutboxTest, AFailingRoomDoesNotStopTheOthers) {
  server.refuse("/rooms/!r/send/", 500, "M_UNKNOWN", 2);
  post("c1");
  post("c2");
  post("elsewhere", "!other");
  send();
  EXPECT_TRUE(until([&] { return server.bodies("!other").size() == 1; }));
  EXPECT_THAT(server.bodies("!r"), ElementsAre());
  EXPECT_TRUE(drained());
  EXPECT_THAT(server.bodies("!r"), ElementsAre("c1", "c2"));
}

TEST_F(OutboxTest, ALostAnswerMakesNoSecondEvent) {
  server.cut("/send/", Code::in_doubt, /*done_all_the_same=*/true, 2);
  post("c1");
  post("c2");
  send();
  EXPECT_TRUE(drained());
  EXPECT_THAT(server.bodies("!r"), ElementsAre("c1", "c2"));
  EXPECT_GE(server.asked("/send/"), 4);
}

TEST_F(OutboxTest, ARoomThatRefusesUsIsGivenUpWithoutALoop) {
  server.rooms["!r"].joined = false;
  for (const char* cause : {"c1", "c2", "c3"}) post(cause);
  send();
  EXPECT_TRUE(drained());
  EXPECT_EQ(server.asked("/send/"), 3);
  EXPECT_EQ(value("SELECT count(*) FROM outbox WHERE state = 'dropped' AND why_dropped LIKE '%M_FORBIDDEN%'"), "3");
  EXPECT_FALSE(outbox->failing_since());
}

TEST_F(OutboxTest, ARefusalOfAProxyIsNotTheRooms) {
  server.refuse("/send/", 403, "");
  post("c1");
  send();
  EXPECT_TRUE(drained());
  EXPECT_EQ(state_of("c1"), "sent");
}

TEST_F(OutboxTest, AWrongTokenKeepsTheRows) {
  server.refuse("/send/", 401, "M_UNKNOWN_TOKEN");
  post("c1");
  send();
  EXPECT_TRUE(drained());
  EXPECT_EQ(state_of("c1"), "sent");
}

TEST_F(OutboxTest, TooLargeIsGivenUpAndTheNextOnesGoOn) {
  server.refuse("/send/", 413, "M_TOO_LARGE");
  post("c1");
  post("c2");
  send();
  EXPECT_TRUE(drained());
  EXPECT_EQ(state_of("c1"), "dropped");
  EXPECT_EQ(state_of("c2"), "sent");
}

TEST_F(OutboxTest, TheDeviceIsMadeAgain) {
  server.device_exists = false;
  std::vector<std::string> told;
  outbox->on_device_made([&told](std::string cause) { told.push_back(std::move(cause)); });
  post("c1");
  post("c2");
  send();
  EXPECT_TRUE(drained());
  EXPECT_THAT(told, ElementsAre("c1"));
  EXPECT_EQ(server.asked("PUT /_matrix/client/v3/devices/STEWARD"), 1);
  EXPECT_THAT(server.bodies("!r"), ElementsAre("c1", "c2"));
}

TEST_F(OutboxTest, AReactionThatIsThereAlreadyIsASuccess) {
  server.refuse("/send/m.reaction", 400, "M_DUPLICATE_ANNOTATION");
  send();
  auto event = ask(outbox->post_and_wait("r1", core::RoomId("!r"), "m.reaction", "{}", soon));
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->empty());
  EXPECT_EQ(state_of("r1"), "sent");
}

TEST_F(OutboxTest, RedactionsUseTheirOwnCall) {
  const std::string content = R"({"redacts":"$victim","reason":"done"})";
  send();
  auto event = ask(outbox->post_and_wait("redact", core::RoomId("!r"), "m.room.redaction", content, soon));
  ASSERT_TRUE(event) << core::describe(event.error());
  EXPECT_EQ(server.asked("PUT /_matrix/client/v3/rooms/!r/redact/$victim/st"), 1);
  EXPECT_EQ(server.rooms["!r"].timeline.back()["content"]["reason"], "done");
}

TEST_F(OutboxTest, WaitersGetTheirEventTheTimeoutOrTheRefusal) {
  auto early = ask(outbox->post_and_wait("c1", core::RoomId("!r"), "m.room.message", "{}", std::chrono::milliseconds(50)));
  EXPECT_EQ(early.error().code, Code::timeout);
  send();
  const EventId event = get(outbox->post_and_wait("c1", core::RoomId("!r"), "m.room.message", "{}", soon));
  EXPECT_EQ(event.str(), value("SELECT event_id FROM outbox WHERE cause = 'c1'"));
  EXPECT_EQ(get(outbox->wait_for("c1", soon)), event);
  server.refuse("/send/", 403, "M_FORBIDDEN");
  auto refused = ask(outbox->post_and_wait("c2", core::RoomId("!r"), "m.room.message", "{}", soon));
  EXPECT_EQ(refused.error().source, "M_FORBIDDEN");
  EXPECT_EQ(ask(outbox->wait_for("c2", soon)).error().code, Code::rejected);
  EXPECT_EQ(ask(outbox->wait_for("never", soon)).error().code, Code::not_found);
}

TEST_F(OutboxTest, WaitingRowsSurviveARestart) {
  post("c1");
  post("c2");
  restart();
  post("c3");
  send();
  EXPECT_TRUE(drained());
  EXPECT_THAT(server.bodies("!r"), ElementsAre("c1", "c2", "c3"));
}

// The send arrived, the bot died before it took note, and Synapse forgot the transaction id meanwhile.
TEST_F(OutboxTest, OldRowsAreLookedForFirst) {
  for (const char* cause : {"c1", "c2"}) post(cause);
  send();
  EXPECT_TRUE(drained());
  for (int extra = 0; extra < 5; ++extra) post("later" + std::to_string(extra));
  EXPECT_TRUE(drained());
  const std::string event = value("SELECT event_id FROM outbox WHERE cause = 'c1'");
  database->sql().exec("UPDATE outbox SET state = 'waiting', event_id = '', created_at = now() - interval '21 hours' "
                       "WHERE cause = 'c1'");
  restart();
  post("new");
  const int sends = server.asked("/send/");
  send();
  EXPECT_TRUE(drained());
  EXPECT_EQ(value("SELECT event_id FROM outbox WHERE cause = 'c1'"), event);
  EXPECT_EQ(server.asked("/send/"), sends + 1);
  EXPECT_GE(server.asked("/messages"), 3);
}

TEST_F(OutboxTest, YoungRowsAreLookedForOnlyWhenTold) {
  post("c1");
  send(/*search_first=*/true);
  EXPECT_TRUE(drained());
  EXPECT_EQ(server.asked("/messages"), 1);
  post("c2");  // of this life and never tried: it cannot be there
  EXPECT_TRUE(drained());
  EXPECT_EQ(server.asked("/messages"), 1);
  database->sql().exec("UPDATE outbox SET state = 'waiting', event_id = '' WHERE cause = 'c1'");
  restart();
  const int sends = server.asked("/send/");
  send(/*search_first=*/true);
  EXPECT_TRUE(drained());
  EXPECT_EQ(server.asked("/send/"), sends);
  EXPECT_EQ(state_of("c1"), "sent");
}

TEST_F(OutboxTest, HeldRoomsWaitAndTheOthersGoOn) {
  outbox->hold(core::RoomId("!r"));
  for (int row = 0; row < 120; ++row) post("held" + std::to_string(row));  // more than one look takes
  post("elsewhere", "!other");
  send();
  EXPECT_TRUE(drained());
  EXPECT_THAT(server.bodies("!other"), ElementsAre("elsewhere"));
  EXPECT_THAT(server.bodies("!r"), ElementsAre());
  outbox->release(core::RoomId("!r"));
  EXPECT_TRUE(drained());
  EXPECT_EQ(server.bodies("!r").size(), 120U);
  EXPECT_EQ(server.bodies("!r").front(), "held0");
}

TEST_F(OutboxTest, AbandonGivesUpOneRoom) {
  outbox->hold(core::RoomId("!r"));
  post("c1");
  post("elsewhere", "!other");
  wait(outbox->abandon(core::RoomId("!r"), "moved"));
  outbox->release(core::RoomId("!r"));
  send();
  EXPECT_TRUE(drained());
  EXPECT_EQ(state_of("c1"), "dropped");
  EXPECT_EQ(state_of("elsewhere"), "sent");
}

TEST_F(OutboxTest, TheStoreMayGoAndComeBack) {
  post("c1");
  database->kill_backend(session->backend_pid());
  send();
  EXPECT_TRUE(drained());
  EXPECT_EQ(state_of("c1"), "sent");
  EXPECT_THAT(server.bodies("!r"), ElementsAre("c1"));
}

}  // namespace
}  // namespace steward::room
