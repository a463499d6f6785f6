// The inbox: what is stored before the ack, what is dropped without a write, and what was missed.
#include "room_fixture.hpp"

namespace steward::room {
namespace {

using Verdict = Inbox::Verdict;
using core::EventId;
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

class InboxTest : public RoomTest {
 protected:
  void SetUp() override {
    RoomTest::SetUp();
    if (IsSkipped()) return;
    server.make_room("!home");
    room_options.configured = core::RoomId("!home");
    restart();
    get(room->open());
    Inbox::Hooks hooks;
    hooks.looks_like_command = [](const matrix::Event& event) { return event.body.starts_with("!"); };
    hooks.plan_waits = [this] { return plan_waits; };
    arrived.emplace(io.get_executor());
    inbox.emplace(stores->inbox, stores->outbox, *room, core::UserId(RoomHomeserver::bot), std::move(hooks), *arrived);
  }
  json event(const std::string& type, json content) {
    return {{"type", type}, {"sender", RoomHomeserver::admin}, {"room_id", "!home"}, {"content", std::move(content)},
            {"event_id", "$e" + std::to_string(++last_event)}, {"origin_server_ts", 1}, {"unsigned", {{"age", 1500}}}};
  }
  json text(const std::string& body) { return event("m.room.message", {{"msgtype", "m.text"}, {"body", body}}); }
  json about(const std::string& type, const std::string& relation, const std::string& target) {
    json made = event(type, {{"msgtype", "m.text"}, {"body", "* !help"}});
    made["content"]["m.relates_to"] = {{"rel_type", relation}, {"event_id", target}, {"key", "✅"}};
    return made;
  }
  static json with(json made, const std::string& pointer, json value) {
    made[json::json_pointer(pointer)] = std::move(value);
    return made;
  }
  static matrix::Event parsed(const json& source) { return matrix::parse_event(source.dump()).value(); }
  core::Result<void> receive(const std::vector<json>& sources) {
    std::vector<matrix::Event> events;
    for (const json& source : sources) events.push_back(parsed(source));
    return ask(inbox->receive(std::move(events)));
  }
  std::string stored() { return value("SELECT coalesce(string_agg(event_id, ' ' ORDER BY arrival), '') FROM inbox"); }
  bool notified() {
    auto wait_for_it = arrived->wait(std::chrono::milliseconds(20));
    return test::run(io, std::move(wait_for_it));
  }

  bool plan_waits = false;
  int last_event = 0;
  std::optional<async::Signal> arrived;
  std::optional<Inbox> inbox;
};

TEST_F(InboxTest, JudgesEachKindOfEvent) {
  const json invitation = with(with(event("m.room.member", {{"membership", "invite"}}), "/state_key", RoomHomeserver::bot),
                               "/room_id", "!anywhere");
  const json state = with(event("m.room.name", {{"name", "x"}}), "/state_key", "");
  struct Row {
    const char* what;
    json source;
    Verdict verdict;
    Verdict while_a_plan_waits;
  };
  const auto drop = Verdict::drop;
  const auto store = Verdict::store;
  const auto lookup = Verdict::needs_lookup;
  const std::vector<Row> rows = {
      {"a command", text("!help"), store, store},
      {"chat", text("hello"), drop, store},
      {"our own echo", with(text("!help"), "/sender", RoomHomeserver::bot), drop, drop},
      {"a command in another room", with(text("!help"), "/room_id", "!other"), drop, drop},
      {"a notice of another bot", with(text("!help"), "/content/msgtype", "m.notice"), drop, drop},
      {"an emote", with(text("!help"), "/content/msgtype", "m.emote"), drop, drop},
      {"a picture with a caption", with(text("!help"), "/content/msgtype", "m.image"), drop, drop},
      {"no msgtype", event("m.room.message", {{"body", "!help"}}), drop, drop},
      {"soft-failed", with(text("!help"), "/unsigned/io.element.synapse.soft_failed", true), drop, drop},
      {"redacted", event("m.room.message", json::object()), drop, drop},
      {"a message with a state key", with(text("!help"), "/state_key", ""), drop, drop},
      {"an edit", about("m.room.message", "m.replace", "$x"), lookup, lookup},
      {"new content without a relation", with(text("!help"), "/content/m.new_content", json::object()), drop, drop},
      {"a reply in a thread", about("m.room.message", "m.thread", "$x"), drop, store},
      {"a reaction", about("m.reaction", "m.annotation", "$x"), lookup, lookup},
      {"a reaction to nothing", event("m.reaction", json::object()), drop, drop},
      {"a redaction", event("m.room.redaction", {{"redacts", "$x"}}), lookup, lookup},
      {"a redaction of old form", with(event("m.room.redaction", json::object()), "/redacts", "$x"), lookup, lookup},
      {"encrypted", event("m.room.encrypted", {{"algorithm", "m.megolm.v1.aes-sha2"}}), drop, drop},
      {"an invitation from anywhere", invitation, store, store},
      {"somebody else's invitation", with(invitation, "/state_key", "@bob:hs.test"), drop, drop},
      {"membership here", with(with(invitation, "/state_key", "@bob:hs.test"), "/room_id", "!home"), store, store},
      {"membership elsewhere", with(invitation, "/content/membership", "leave"), drop, drop},
      {"our kick", with(with(invitation, "/content/membership", "leave"), "/room_id", "!home"), store, store},
      {"our leaving in our own name: the room is deleted",
       with(with(with(invitation, "/content/membership", "leave"), "/room_id", "!home"), "/sender", RoomHomeserver::bot), store, store},
      {"our leaving elsewhere", with(with(invitation, "/content/membership", "leave"), "/sender", RoomHomeserver::bot), drop, drop},
      {"our joining", with(with(with(invitation, "/content/membership", "join"), "/room_id", "!home"), "/sender", RoomHomeserver::bot), drop, drop},
      {"a tombstone", with(state, "/type", "m.room.tombstone"), store, store},
      {"encryption", with(state, "/type", "m.room.encryption"), store, store},
      {"power levels", with(state, "/type", "m.room.power_levels"), store, store},
      {"join rules", with(state, "/type", "m.room.join_rules"), store, store},
      {"history visibility", with(state, "/type", "m.room.history_visibility"), store, store},
      {"the room's name", state, drop, drop},
      {"an unknown type", event("org.example.custom", json::object()), drop, drop},
  };
  for (const Row& row : rows) {
    const matrix::Event judged = parsed(row.source);
    plan_waits = false;
    EXPECT_EQ(inbox->judge(judged), row.verdict) << row.what;
    plan_waits = true;
    EXPECT_EQ(inbox->judge(judged), row.while_a_plan_waits) << row.what;
    // What is stored is read again: its text must be there.
    if (row.verdict == drop) continue;
    EXPECT_EQ(parsed(json::parse(judged.json)).event_id, judged.event_id) << row.what;
  }
}

TEST_F(InboxTest, StoresCommandsOnceAndWakesTheReader) {
  const json first = text("!help");
  const json second = text("!status");
  EXPECT_TRUE(receive({first, text("chat"), second}));
  EXPECT_EQ(stored(), "$e1 $e2");
  EXPECT_TRUE(notified());
  EXPECT_TRUE(receive({second, first}));  // the transaction came again
  EXPECT_FALSE(notified());
  EXPECT_EQ(value("SELECT count(*) FROM inbox"), "2");
  EXPECT_EQ(get(stores->inbox.find(EventId("$e1")))->sender.str(), RoomHomeserver::admin);
  EXPECT_GE(get(stores->inbox.find(EventId("$e1")))->age, std::chrono::milliseconds(1500));
}

TEST_F(InboxTest, WhatIsNotForUsTouchesNoDatabase) {
  session.reset();  // any use of it now would crash
  EXPECT_TRUE(receive({text("chat"), event("org.example.custom", json::object()), text("more chat")}));
  session.emplace(io.get_executor(), db::SessionOptions());
}

TEST_F(InboxTest, RelationsAreStoredOnlyWhenTheyPointAtWhatWeHold) {
  send();
  const EventId card = get(room->say_and_wait("plan:1", message("a plan"), matrix::Envelope(), soon));
  const json command = text("!help");
  EXPECT_TRUE(receive({command, about("m.room.message", "m.replace", "$e1")}));  // both in one transaction
  EXPECT_EQ(stored(), "$e1 $e2");
  EXPECT_TRUE(receive({about("m.reaction", "m.annotation", card.str()), about("m.reaction", "m.annotation", "$elsewhere")}));
  EXPECT_EQ(stored(), "$e1 $e2 $e3");
  EXPECT_TRUE(receive({event("m.room.redaction", {{"redacts", "$e1"}}), event("m.room.redaction", {{"redacts", "$chat"}})}));
  EXPECT_EQ(stored(), "$e1 $e2 $e3 $e5");
}

TEST_F(InboxTest, AStoreThatIsAwayIsAnError) {
  database->sql().exec("ALTER TABLE inbox RENAME TO inbox_away");
  EXPECT_FALSE(receive({text("!help")}));
  EXPECT_FALSE(receive({about("m.reaction", "m.annotation", "$x")}));
  database->sql().exec("ALTER TABLE inbox_away RENAME TO inbox");
  EXPECT_TRUE(receive({text("!help")}));
}

TEST_F(InboxTest, FindsWhatWasMissed) {
  auto& timeline = server.rooms["!home"].timeline;
  timeline.clear();
  timeline.push_back(text("!before-we-came"));
  timeline.push_back(with(event("m.room.member", {{"membership", "join"}}), "/state_key", RoomHomeserver::bot));
  timeline.push_back(with(text("!too-old"), "/unsigned/age", 8LL * 24 * 3600 * 1000));
  const json known = text("!known");
  timeline.push_back(known);
  timeline.push_back(text("!missed-1"));
  timeline.push_back(text("chat"));
  timeline.push_back(with(text("!own"), "/sender", RoomHomeserver::bot));
  timeline.push_back(text("!missed-2"));
  EXPECT_TRUE(receive({known}));
  plan_waits = true;  // plain words are no commands all the same
  std::vector<std::string> bodies;
  for (const matrix::Event& missed : get(inbox->missed(*client, 300))) bodies.push_back(missed.body);
  EXPECT_THAT(bodies, ElementsAre("!missed-1", "!missed-2"));
}

TEST_F(InboxTest, NothingMissedInAnEmptyRoom) {
  server.rooms["!home"].timeline.clear();
  EXPECT_THAT(get(inbox->missed(*client, 50)), IsEmpty());
}

}  // namespace
}  // namespace steward::room
