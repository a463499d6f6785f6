// Inbox and outbox: nothing twice, nothing lost, ages by the database's clock.
#include "store_fixture.hpp"

namespace steward::db {
namespace {

using core::EventId;
using core::RoomId;
using core::UserId;
using testing::ElementsAre;
using testing::IsEmpty;

InboxEvent event(const std::string& id, std::chrono::milliseconds age = {}) {
  InboxEvent given;
  given.event_id = EventId(id);
  given.room_id = RoomId("!room");
  given.sender = UserId("@a:hs.test");
  given.type = "m.room.message";
  given.json = R"({"content":{"body":"\u0000 \ud800 \"x\" {a,b}"}})";
  given.age = age;
  return given;
}

TEST_F(StoreTest, InboxKeepsEachEventOnce) {
  EXPECT_THAT(get(stores->inbox.add({event("$1"), event("$2"), event("$1")})), ElementsAre(EventId("$1"), EventId("$2")));
  EXPECT_THAT(get(stores->inbox.add({event("$2"), event("$3")})), ElementsAre(EventId("$3")));
  EXPECT_THAT(get(stores->inbox.add({})), IsEmpty());
  auto waiting = get(stores->inbox.unhandled(10));
  ASSERT_EQ(waiting.size(), 3u);
  EXPECT_EQ(waiting[0].event_id.str() + waiting[1].event_id.str() + waiting[2].event_id.str(), "$1$2$3");
  EXPECT_EQ(waiting[0].json, event("$1").json);
  EXPECT_EQ(waiting[0].sender.str(), "@a:hs.test");
  EXPECT_EQ(get(stores->inbox.unhandled(2)).size(), 2u);
}

TEST_F(StoreTest, InboxForgetsOnlyWhatIsDone) {
  get(stores->inbox.add({event("$1"), event("$2")}));
  get(stores->inbox.finish(EventId("$1"), "answered"));
  auto waiting = get(stores->inbox.unhandled(10));
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].event_id, EventId("$2"));
  EXPECT_EQ(value("SELECT outcome FROM inbox WHERE event_id = '$1'"), "answered");
  get(stores->inbox.forget_older_than(std::chrono::hours(1)));
  EXPECT_EQ(value("SELECT count(*) FROM inbox"), "2");
  database->sql().exec("UPDATE inbox SET arrived_at = now() - interval '2 hours'");
  get(stores->inbox.forget_older_than(std::chrono::hours(1)));
  EXPECT_EQ(value("SELECT string_agg(event_id, ' ') FROM inbox"), "$2");
}

TEST_F(StoreTest, InboxAgeGrowsWithTheDatabasesClock) {
  get(stores->inbox.add({event("$1", std::chrono::seconds(4))}));
  database->sql().exec("UPDATE inbox SET arrived_at = now() - interval '10 minutes'");
  auto found = get(stores->inbox.find(EventId("$1")));
  ASSERT_TRUE(found);
  EXPECT_GE(found->age, std::chrono::seconds(604));
  EXPECT_LT(found->age, std::chrono::seconds(620));
  EXPECT_FALSE(get(stores->inbox.find(EventId("$2"))));
}

TEST_F(StoreTest, InboxTellsWhatItNeverSaw) {
  get(stores->inbox.add({event("$1"), event("$3")}));
  EXPECT_THAT(get(stores->inbox.unknown_of({EventId("$4"), EventId("$3"), EventId("$2"), EventId("$1")})),
              ElementsAre(EventId("$4"), EventId("$2")));
  EXPECT_THAT(get(stores->inbox.unknown_of({})), IsEmpty());
}

TEST_F(StoreTest, OutboxKeepsACauseOnce) {
  const OutboxRow first = get(stores->outbox.add("plan:41", RoomId("!r"), "m.room.message", R"({"body":"a"})"));
  const OutboxRow again = get(stores->outbox.add("plan:41", RoomId("!r"), "m.room.message", R"({"body":"b"})"));
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.content, R"({"body":"a"})");
  EXPECT_EQ(again.transaction_id, first.transaction_id);
  EXPECT_EQ(first.state, "waiting");
  const OutboxRow other = get(stores->outbox.add("plan:42", RoomId("!r"), "m.room.message", "{}"));
  EXPECT_NE(other.transaction_id, first.transaction_id);
  EXPECT_TRUE(first.transaction_id.starts_with("st"));
  get(stores->outbox.sent(first.id, EventId("$sent")));
  EXPECT_EQ(get(stores->outbox.add("plan:41", RoomId("!r"), "m.room.message", "{}")).event_id, EventId("$sent"));
}

TEST_F(StoreTest, OutboxTransactionIdSurvivesALossOfTheRow) {
  const std::string before = get(stores->outbox.add("answer:$x", RoomId("!r"), "m.room.message", "{}")).transaction_id;
  database->sql().exec("DELETE FROM outbox");
  EXPECT_EQ(get(stores->outbox.add("answer:$x", RoomId("!r"), "m.room.message", "{}")).transaction_id, before);
}

TEST_F(StoreTest, OutboxGoesThroughItsStates) {
  const auto a = get(stores->outbox.add("a", RoomId("!r"), "m.room.message", R"({"body":"\u0000"})"));
  const auto b = get(stores->outbox.add("b", RoomId("!r"), "m.reaction", "{}"));
  const auto c = get(stores->outbox.add("c", RoomId("!r"), "m.room.message", "{}"));
  EXPECT_EQ(get(stores->outbox.waiting(10)).size(), 3u);
  EXPECT_EQ(get(stores->outbox.waiting(1)).at(0).cause, "a");
  get(stores->outbox.attempted(a.id));
  get(stores->outbox.attempted(a.id));
  get(stores->outbox.sent(a.id, EventId("$a")));
  get(stores->outbox.dropped(b.id, "the room is gone"));
  get(stores->outbox.dropped(a.id, "too late: it was sent"));
  auto sent = get(stores->outbox.find("a"));
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->state, "sent");
  EXPECT_EQ(sent->attempts, 2);
  EXPECT_EQ(get(stores->outbox.find("b"))->state, "dropped");
  EXPECT_EQ(get(stores->outbox.find_by_event(EventId("$a")))->cause, "a");
  EXPECT_FALSE(get(stores->outbox.find_by_event(EventId("")))) << "rows not yet sent have no event";
  EXPECT_EQ(get(stores->outbox.waiting(10)).at(0).cause, "c");
  database->sql().exec("UPDATE outbox SET created_at = now() - interval '2 days'");
  get(stores->outbox.forget_older_than(std::chrono::hours(24)));
  EXPECT_EQ(value("SELECT string_agg(cause, ' ') FROM outbox"), "c") << "what waits is never forgotten";
  EXPECT_GE(get(stores->outbox.find("c"))->age, std::chrono::hours(48));
}

TEST_F(StoreTest, TheNewestMessageIsNoEditNoReactionAndOfThatRoom) {
  auto send = [&](const std::string& cause, const std::string& room, const std::string& type, const std::string& content) {
    const auto row = get(stores->outbox.add(cause, RoomId(room), type, content));
    get(stores->outbox.sent(row.id, EventId("$" + cause)));
  };
  EXPECT_FALSE(get(stores->outbox.newest_sent(RoomId("!r"))));
  send("card", "!r", "m.room.message", R"({"body":"\"rel_type\":\"m.replace\"","m.relates_to":{"m.in_reply_to":{"event_id":"$q"}}})");
  send("edit", "!r", "m.room.message", R"({"body":"* x","m.relates_to":{"rel_type":"m.replace","event_id":"$card"}})");
  send("reaction", "!r", "m.reaction", R"({"m.relates_to":{"rel_type":"m.annotation"}})");
  send("elsewhere", "!other", "m.room.message", "{}");
  get(stores->outbox.add("unsent", RoomId("!r"), "m.room.message", "{}"));
  EXPECT_EQ(get(stores->outbox.newest_sent(RoomId("!r")))->cause, "card");
}

TEST_F(StoreTest, OutboxRefusesWhatIsNoJson) {
  EXPECT_EQ(error(stores->outbox.add("x", RoomId("!r"), "m.room.message", "{no json")).source, "22P02");
}

}  // namespace
}  // namespace steward::db
