// The look at a transaction that decides whether it is parsed: it must never pass over what the parser would have given us.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "matrix/event.hpp"
#include "matrix/glance.hpp"

namespace steward::matrix {
namespace {

using nlohmann::json;

const Interest interest{core::RoomId("!admin:hs.test"), core::UserId("@steward:hs.test")};

std::optional<Glance> glance(const json& body) { return glance_at_transaction(body.dump(), interest); }

json event(const std::string& room) {
  return {{"event_id", "$e"}, {"room_id", room}, {"sender", "@ann:hs.test"}, {"type", "m.room.message"}, {"content", {{"body", "!help"}}}};
}

TEST(Glance, PassesOverOtherPeoplesRooms) {
  json talk = event("!other:hs.test");
  talk["content"] = {{"body", "!admin:hs.test"}, {"room_id", "!admin:hs.test"}, {"state_key", "@steward:hs.test"}};
  talk["unsigned"] = {{"room_id", "!admin:hs.test"}, {"list", {"room_id", "!admin:hs.test"}}};
  const auto seen = glance({{"events", {talk, event("!third:hs.test")}}, {"ephemeral", {{{"room_id", "!admin:hs.test"}}}}});
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->events, 2U);
  EXPECT_FALSE(seen->matters);
}

TEST(Glance, SeesTheRoomAndTheInvitation) {
  EXPECT_TRUE(glance({{"events", {event("!other:hs.test"), event("!admin:hs.test")}}})->matters);
  json invitation = event("!new:elsewhere.test");
  invitation["state_key"] = "@steward:hs.test";
  EXPECT_TRUE(glance({{"events", {invitation}}})->matters);
  EXPECT_TRUE(glance_at_transaction(R"({"events":[{"room\u005fid":"\u0021admin:hs.test"}]})", interest)->matters) << "written with escapes";
  EXPECT_TRUE(glance_at_transaction(R"({"events":[{"room_id":"!x:y","room_id":"!admin:hs.test"}]})", interest)->matters) << "twice";
}

TEST(Glance, WithoutARoomOnlyItsName) {
  Interest nowhere = interest;
  nowhere.room = core::RoomId();
  const auto seen = glance_at_transaction(R"({"events":[{"room_id":""},{"room_id":"!admin:hs.test"}]})", nowhere);
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->matters);
}

TEST(Glance, LeavesWhatIsNotPlainToTheParser) {
  for (const char* body : {"", "[]", "7", "nonsense", R"({"events":[)", "{\"events\":[{\"room_id\":\"\xff\"}]}", R"({"a":"\ud800"})"})
    EXPECT_FALSE(glance_at_transaction(body, interest)) << body;
  EXPECT_EQ(glance_at_transaction("{}", interest)->events, 0U);
  EXPECT_TRUE(glance_at_transaction(R"({"events":)" + std::string(200'000, '[') + std::string(200'000, ']') + "}", interest));
}

json any_value(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 6 : 4)) {
    case 0: return *rc::gen::element<std::string>("!admin:hs.test", "!other:hs.test", "@steward:hs.test", "@ann:hs.test", "$e", "m.room.message");
    case 1: return *rc::gen::inRange(-5, 5);
    case 2: return nullptr;
    case 3: return *rc::gen::arbitrary<bool>();
    case 4: {
      json list = json::array();
      for (int n = *rc::gen::inRange(0, 4); n > 0; --n) list.push_back(any_value(depth - 1));
      return list;
    }
    default: {
      json object = json::object();
      for (int n = *rc::gen::inRange(0, 6); n > 0; --n)
        object[*rc::gen::element<std::string>("events", "room_id", "state_key", "event_id", "sender", "type", "content")] = any_value(depth - 1);
      return object;
    }
  }
}

RC_GTEST_PROP(Glance, NeverPassesOverAnEventOfInterest, ()) {
  json events = json::array();
  for (int n = *rc::gen::inRange(0, 4); n > 0; --n) {
    json made = event(*rc::gen::element<std::string>("!admin:hs.test", "!other:hs.test"));
    made.update(any_value(0).is_string() ? json{{"state_key", any_value(0)}} : json::object());
    made["content"] = json{{"x", any_value(3)}};
    events.push_back(*rc::gen::inRange(0, 5) == 0 ? any_value(3) : made);
  }
  const json body{{"before", any_value(3)}, {"events", events}, {"x", any_value(3)}};
  const auto seen = glance(body);
  RC_ASSERT(seen.has_value());
  const auto batch = parse_transaction(body.dump());
  bool matters = false;
  for (const Event& each : batch->events) matters |= each.room_id == interest.room || each.state_key == interest.user.str();
  RC_ASSERT(!matters || seen->matters);
  RC_CLASSIFY(matters);
}

}  // namespace
}  // namespace steward::matrix
