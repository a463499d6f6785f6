// The live message over a real store: one post, edits that follow it, merged while a send is under way.
#include "room_fixture.hpp"

namespace steward::room {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class LiveTest : public RoomTest {
 protected:
  void SetUp() override {
    RoomTest::SetUp();
    if (IsSkipped()) return;
    server.make_room("!home");
    room_options.configured = core::RoomId("!home");
    database->sql().exec("INSERT INTO setting (key, value) VALUES ('room.welcomed', '!home')");
    open();
  }
  void open() {
    restart();
    get(room->open());
    live = std::make_unique<LiveMessage>(*room, stores->outbox, "live:41", matrix::Envelope());
  }
  void TearDown() override {
    live.reset();
    RoomTest::TearDown();
  }
  void show(const std::string& text, bool now) { wait(live->show(message(text), now)); }
  // The texts as a client shows them one after another.
  std::vector<std::string> shown() {
    std::vector<std::string> texts;
    for (const auto& event : server.rooms["!home"].timeline) {
      const auto& content = event["content"];
      const bool edit = content.contains("m.new_content");
      texts.push_back((edit ? "edit " : "") + (edit ? content["m.new_content"] : content)["body"].get<std::string>());
      if (!edit) continue;
      EXPECT_EQ(content["m.relates_to"]["event_id"], server.rooms["!home"].timeline[0]["event_id"]);
    }
    return texts;
  }

  std::unique_ptr<LiveMessage> live;
};

TEST_F(LiveTest, PostsOnceThenEditsAtEachChangeOfState) {
  send();
  show("queued", true);
  EXPECT_TRUE(drained());
  show("running", true);
  show("running", true);  // nothing new: no edit
  EXPECT_TRUE(drained());
  show("done", true);
  EXPECT_TRUE(drained());
  EXPECT_THAT(shown(), ElementsAre("queued", "edit running", "edit done"));
  auto event = test::run(io, live->event());
  EXPECT_EQ(event.str(), server.rooms["!home"].timeline[0]["event_id"]);
}

TEST_F(LiveTest, FollowsTheScheduleWithTheNewestText) {
  send();
  show("start", true);
  EXPECT_TRUE(drained());
  for (int step = 0; step < 20; ++step) show("step " + std::to_string(step), false);
  EXPECT_THAT(shown(), SizeIs(1));
  EXPECT_TRUE(until([&] { return shown().size() == 2; }));  // two seconds after the start
  EXPECT_THAT(shown(), ElementsAre("start", "edit step 19"));
}

TEST_F(LiveTest, MergesWhatComesWhileTheServerIsAway) {
  server.refuse("/send/", 502, "", 4);
  send();
  show("queued", true);
  for (int step = 0; step < 20; ++step) show("step " + std::to_string(step), true);
  show("done", true);
  live.reset();  // the job is over before the first message is out
  EXPECT_TRUE(until([&] { return shown().size() == 2; }));
  EXPECT_THAT(shown(), ElementsAre("queued", "edit done"));
}

TEST_F(LiveTest, GoesOnWithTheSameMessageAfterARestart) {
  send();
  show("running", true);
  show("half", true);
  EXPECT_TRUE(drained());
  live.reset();
  open();
  send();
  show("goes on", false);  // out of date, so at once
  EXPECT_TRUE(until([&] { return shown().back() == "edit goes on"; }));
  EXPECT_EQ(server.bodies("!home").front(), "running");
  EXPECT_EQ(value("SELECT count(*) FROM outbox WHERE NOT edit"), "1");
}

TEST_F(LiveTest, EndsWithTheRoom) {
  show("never sent", true);
  show("pending", true);  // no sender: it waits in the background
  const auto begin = std::chrono::steady_clock::now();
  live.reset();
  stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  restart();
}

TEST(LiveSchedule, SecondsTwoFiveTenThenMaxOfFifteenAndATenth) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  using std::chrono::seconds;
  EXPECT_EQ(next_edit_after(milliseconds(0)), seconds(2));
  EXPECT_EQ(next_edit_after(seconds(2)), seconds(5));
  EXPECT_EQ(next_edit_after(milliseconds(3100)), seconds(5));
  EXPECT_EQ(next_edit_after(seconds(5)), seconds(10));
  EXPECT_EQ(next_edit_after(seconds(10)), seconds(25));
  EXPECT_EQ(next_edit_after(seconds(100)), seconds(115));
  EXPECT_EQ(next_edit_after(seconds(150)), seconds(165));
  EXPECT_EQ(next_edit_after(seconds(300)), seconds(330));
  EXPECT_EQ(next_edit_after(hours(5)), hours(5) + minutes(10));
  int edits = 0;
  for (milliseconds at{0}; at < hours(10); at = next_edit_after(at)) ++edits;
  EXPECT_LT(edits, 120);  // a job of ten hours stays under the noise
  for (milliseconds at{0}; at < hours(3); at = next_edit_after(at)) EXPECT_GT(next_edit_after(at), at);
}

}  // namespace
}  // namespace steward::room
