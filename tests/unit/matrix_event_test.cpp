// Events out of JSON: what Synapse sends, and what hostile or broken peers may get into it.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "matrix/event.hpp"

namespace steward::matrix {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// As seen on the wire from Synapse 1.163.2 (facts/matrix-protocol.md §2).
json message_event() {
  return json::parse(R"({"age":272,"content":{"body":"!help","msgtype":"m.text"},"event_id":"$bzL8",
    "origin_server_ts":1795419459653,"room_id":"!g3DAG0V0gwfiaUm7bQGujLEVrPYI2KXAulhRXBBMZQU","sender":"@alice:t.local",
    "type":"m.room.message","unsigned":{"age":272},"user_id":"@alice:t.local"})");
}

json state_event(const std::string& type, json content) {
  json event = message_event();
  event["type"] = type;
  event["state_key"] = "";
  event["content"] = std::move(content);
  return event;
}

Event parsed(const json& source) {
  const auto event = parse_event(source.dump());
  if (!event) {
    ADD_FAILURE() << core::describe(event.error());
    return {};
  }
  return *event;
}

std::string transaction(const std::vector<std::string>& events) {
  std::string body = R"({"events":[)";
  for (const std::string& event : events) body += (&event == &events.front() ? "" : ",") + event;
  return body + "]}";
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(MatrixEvent, ReadsAMessage) {
  const Event event = parsed(message_event());
  EXPECT_EQ(event.event_id.str(), "$bzL8");
  EXPECT_EQ(event.room_id.str(), "!g3DAG0V0gwfiaUm7bQGujLEVrPYI2KXAulhRXBBMZQU");
  EXPECT_EQ(event.sender.str(), "@alice:t.local");
  EXPECT_EQ(event.type, "m.room.message");
  EXPECT_FALSE(event.state_key);
  EXPECT_EQ(event.msgtype, "m.text");
  EXPECT_EQ(event.body, "!help");
  EXPECT_EQ(event.age, milliseconds(272));
  EXPECT_EQ(event.origin_server_ts, 1795419459653);
  EXPECT_FALSE(event.redacted);
  EXPECT_FALSE(event.soft_failed);
  EXPECT_FALSE(event.has_new_content);
  EXPECT_EQ(json::parse(event.json), message_event());
}

TEST(MatrixEvent, ReadsRelationsAndMentions) {
  json source = message_event();
  source["content"]["m.relates_to"] = {
      {"rel_type", "m.thread"}, {"event_id", "$root"}, {"key", "✅"}, {"m.in_reply_to", {{"event_id", "$reply"}}}};
  source["content"]["m.mentions"] = {{"user_ids", {"@steward:t.local", 7, "nonsense", "@bob:t.local"}}};
  source["content"]["m.new_content"] = json::object();
  source["unsigned"]["transaction_id"] = "st1";
  const Event event = parsed(source);
  EXPECT_EQ(event.relation_type, "m.thread");
  EXPECT_EQ(event.relates_to.str(), "$root");
  EXPECT_EQ(event.reaction_key, "✅");
  EXPECT_EQ(event.in_reply_to.str(), "$reply");
  EXPECT_THAT(event.mentions, ElementsAre(core::UserId("@steward:t.local"), core::UserId("@bob:t.local")));
  EXPECT_TRUE(event.has_new_content);
  EXPECT_EQ(event.transaction_id, "st1");
}

TEST(MatrixEvent, ReadsStateOnlyFromStateEvents) {
  const Event member = parsed(state_event("m.room.member", {{"membership", "join"}}));
  EXPECT_EQ(member.membership, "join");
  EXPECT_FALSE(member.invitation);
  EXPECT_EQ(parsed(state_event("m.room.join_rules", {{"join_rule", "invite"}})).join_rule, "invite");
  EXPECT_EQ(parsed(state_event("m.room.encryption", {{"algorithm", "m.megolm.v1.aes-sha2"}})).encryption_algorithm,
            "m.megolm.v1.aes-sha2");
  EXPECT_EQ(parsed(state_event("m.room.history_visibility", {{"history_visibility", "shared"}})).history_visibility,
            "shared");
  EXPECT_EQ(parsed(state_event("m.room.tombstone", {{"replacement_room", "!new"}})).replacement_room, "!new");

  // The same content sent as a message, which any member may do, is no state.
  json pretended = state_event("m.room.encryption", {{"algorithm", "m.megolm.v1.aes-sha2"}});
  pretended.erase("state_key");
  EXPECT_THAT(parsed(pretended).encryption_algorithm, IsEmpty());
}

TEST(MatrixEvent, ReadsAnInvitation) {
  json source = state_event("m.room.member", {{"membership", "invite"}});
  source["state_key"] = "@steward:t.local";
  source["unsigned"]["invite_room_state"] = json::parse(R"([
    {"type":"m.room.create","sender":"@bob:evil.org","state_key":"","content":{"type":"m.space","room_version":"12"}},
    {"type":"m.room.join_rules","sender":"@bob:evil.org","state_key":"","content":{"join_rule":"public"}},
    {"type":"m.room.encryption","sender":"@bob:evil.org","state_key":"","content":{"algorithm":"x"}},
    7, null, {"type":7}, {"type":"m.room.join_rules","content":[]}])");
  Event event = parsed(source);
  ASSERT_TRUE(event.invitation);
  EXPECT_EQ(event.invitation->room_type, "m.space");
  EXPECT_EQ(event.invitation->creator, "@bob:evil.org");
  EXPECT_TRUE(event.invitation->encrypted);
  EXPECT_EQ(event.state_key, "@steward:t.local");

  // Synapse's older top-level copy serves where unsigned has none.
  source["invite_room_state"] = std::move(source["unsigned"]["invite_room_state"]);
  source["unsigned"].erase("invite_room_state");
  event = parsed(source);
  ASSERT_TRUE(event.invitation);
  EXPECT_TRUE(event.invitation->encrypted);
}

TEST(MatrixEvent, KnowsRedactedAndSoftFailedEvents) {
  json source = message_event();
  source["unsigned"]["redacted_because"] = json::object();
  EXPECT_TRUE(parsed(source).redacted);
  source = message_event();
  source["content"] = json::object();
  EXPECT_TRUE(parsed(source).redacted);
  for (const char* key : {"soft_failed", "policy_server_spammy", "spam_checker_spammy"}) {
    source = message_event();
    source["unsigned"][std::string("io.element.synapse.") + key] = true;
    EXPECT_TRUE(parsed(source).soft_failed) << key;
    source["unsigned"][std::string("io.element.synapse.") + key] = false;
    EXPECT_FALSE(parsed(source).soft_failed) << key;
  }
}

TEST(MatrixEvent, ReadsARedactionOfOldAndNewRooms) {
  json source = message_event();
  source["type"] = "m.room.redaction";
  source["content"] = {{"redacts", "$new"}};
  source["redacts"] = "$old";
  EXPECT_EQ(parsed(source).redacts.str(), "$new");
  source["content"] = json::object();
  EXPECT_EQ(parsed(source).redacts.str(), "$old");
}

TEST(MatrixEvent, KeepsACommandDescriptionAsText) {
  json source = message_event();
  source["content"]["org.matrix.msc4391.command"] = {{"command", "purge-media"}, {"arguments", {{"dry_run", true}}}};
  EXPECT_EQ(json::parse(parsed(source).command_description)["command"], "purge-media");
  source["content"]["org.matrix.msc4391.command"] = "purge-media";
  EXPECT_THAT(parsed(source).command_description, IsEmpty());
}

TEST(MatrixEvent, KeepsTheWholeTextOnlyWhereTheInboxReadsIt) {
  json source = message_event();
  source["type"] = "m.sticker";
  EXPECT_THAT(parsed(source).json, IsEmpty());
  for (const char* type : {"m.reaction", "m.room.redaction", "m.room.power_levels"}) {
    source["type"] = type;
    EXPECT_THAT(parsed(source).json, HasSubstr(type));
  }
}

TEST(MatrixEvent, AgeIsNeverNegativeNorFromTheSendersClock) {
  json source = message_event();
  source["unsigned"]["age"] = -5;
  EXPECT_EQ(parsed(source).age, milliseconds(0));
  source["unsigned"].erase("age");
  EXPECT_EQ(parsed(source).age, milliseconds(272));  // Synapse's top-level copy
  source.erase("age");
  EXPECT_EQ(parsed(source).age, milliseconds(0));
  source["unsigned"]["age"] = "272";
  source["origin_server_ts"] = 1e300;
  EXPECT_EQ(parsed(source).age, milliseconds(0));
  EXPECT_EQ(parsed(source).origin_server_ts, 0);
  source["origin_server_ts"] = 18446744073709551615U;
  EXPECT_EQ(parsed(source).origin_server_ts, 0);
}

class BrokenEvent : public testing::TestWithParam<const char*> {};
TEST_P(BrokenEvent, IsRefusedAndDoesNotStopTheOthers) {
  const json patch = json::parse(GetParam());
  json source = message_event();
  source.merge_patch(patch);  // null removes a key
  const auto event = parse_event(source.dump());
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, core::Code::protocol);
  const auto batch = parse_transaction(transaction({message_event().dump(), source.dump(), message_event().dump()}));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->events.size(), 2U);
  EXPECT_EQ(batch->broken, 1);
}
INSTANTIATE_TEST_SUITE_P(Fields, BrokenEvent,
                         testing::Values(R"({"event_id":null})", R"({"event_id":7})", R"({"event_id":"no sigil"})",
                                         R"({"room_id":null})", R"({"room_id":["!a"]})", R"({"sender":null})",
                                         R"({"sender":"alice"})", R"({"sender":{}})", R"({"type":null})",
                                         R"({"type":""})", R"({"type":false})", R"({"content":null})",
                                         R"({"content":"text"})", R"({"content":[1]})", R"({"state_key":7})"));

TEST(MatrixTransaction, CountsWhatIsNoEventAtAll) {
  const auto batch = parse_transaction(
      transaction({"null", "7", "[]", "{}", R"("text")", R"({"content":null})", message_event().dump()}));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->events.size(), 1U);
  EXPECT_EQ(batch->broken, 6);
}

TEST(MatrixTransaction, ContentNullIsBroken) {
  std::string source = message_event().dump();
  const std::string content = R"({"body":"!help","msgtype":"m.text"})";
  source.replace(source.find(content), content.size(), "null");
  const auto batch = parse_transaction(transaction({source}));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->broken, 1);
}

TEST(MatrixTransaction, WrongTypesInsideTheContentAreOnlyAbsent) {
  for (const json& wrong :
       {json(7), json(nullptr), json::array({1}), json::object({{"a", 1}}), json(true), json(1.5)}) {
    json source = message_event();
    for (const char* key : {"body", "msgtype", "formatted_body", "m.relates_to", "m.mentions", "membership",
                            "org.matrix.msc4391.command"}) {
      source["content"][key] = wrong;
    }
    source["unsigned"] = wrong;
    source["origin_server_ts"] = wrong;
    const auto event = parse_event(source.dump());
    ASSERT_TRUE(event) << source;
    EXPECT_THAT(event->body, IsEmpty());
    EXPECT_THAT(event->relation_type, IsEmpty());
    EXPECT_THAT(event->mentions, IsEmpty());
  }
}

TEST(MatrixTransaction, TakesWhatComesWithoutEvents) {
  for (const char* body : {"{}", R"({"events":[]})", R"({"ephemeral":[{"type":"m.typing"}],"events":[]})"}) {
    const auto batch = parse_transaction(body);
    ASSERT_TRUE(batch) << body;
    EXPECT_THAT(batch->events, IsEmpty());
    EXPECT_EQ(batch->broken, 0);
  }
  EXPECT_EQ(parse_transaction(R"({"events":7})")->broken, 1);
}

TEST(MatrixTransaction, RefusesWhatIsNotAJsonObject) {
  for (const char* body : {"", "hello", "[]", "7", "null", R"({"events":[)", R"({"events":[]}x)", "\xFF"}) {
    const auto batch = parse_transaction(body);
    ASSERT_FALSE(batch) << body;
    EXPECT_EQ(batch.error().code, core::Code::bad_input);
  }
}

TEST(MatrixTransaction, OneBrokenByteDoesNotCostTheOthers) {
  json marked = message_event();
  marked["content"]["body"] = "MARK";
  for (const char* bytes :
       {"\xFF\xFE", "\xC3", "\xED\xA0\x80", R"(\ud800)", R"(\udc00x)", R"(\ud800\u0041)", R"(\\\ud800)"}) {
    std::string text = marked.dump();
    text.replace(text.find("MARK"), 4, bytes);
    const auto batch = parse_transaction(transaction({text, message_event().dump()}));
    ASSERT_TRUE(batch) << bytes;
    EXPECT_EQ(batch->events.size(), 2U) << bytes;
    EXPECT_THAT(batch->events.front().body, HasSubstr("\uFFFD"));
    EXPECT_FALSE(json::parse(batch->events.front().json, nullptr, false).is_discarded());
  }
}

TEST(MatrixTransaction, KeepsPairedSurrogatesAndEscapedBackslashes) {
  json marked = message_event();
  marked["content"]["body"] = "MARK";
  std::string text = marked.dump();
  text.replace(text.find("MARK"), 4,
               "\xFF"
               R"(\ud83d\ude00 \\ud800)");
  const auto batch = parse_transaction(transaction({text}));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->events.front().body, "\uFFFD😀 \\ud800");
}

TEST(MatrixTransaction, DepthNeitherOverflowsNorCostsTheOthers) {
  // As deep as 64 KB allow, in a type whose text is kept and in one whose is not.
  for (const char* type : {"m.room.message", "org.example.deep"}) {
    json marked = message_event();
    marked["type"] = type;
    marked["content"]["deep"] = "MARK";
    std::string text = marked.dump();
    text.replace(text.find("\"MARK\""), 6, nested(32'000));
    const auto batch = parse_transaction(transaction({text, message_event().dump()}));
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->events.back().body, "!help");
    EXPECT_EQ(batch->broken, std::string_view(type) == "m.room.message" ? 1 : 0);
  }
}

TEST(MatrixTransaction, RefusesADepthThatNoEventCanHave) {
  EXPECT_FALSE(parse_transaction(R"({"events":)" + nested(200'000) + "}"));
  EXPECT_FALSE(parse_event(nested(200'000)));
  EXPECT_FALSE(parse_transaction(std::string(1U << 20, '[')));
  // Brackets inside of texts are no depth.
  json source = message_event();
  source["content"]["body"] = std::string(150'000, '[') + "\\\"";
  const auto batch = parse_transaction(transaction({source.dump()}));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->events.size(), 1U);
}

RC_GTEST_PROP(MatrixTransaction, AnyBytesGiveAnAnswer, (const std::string& bytes)) {
  (void)parse_transaction(bytes);
  (void)parse_event(bytes);
  (void)parse_transaction(R"({"events":[{"content":{"body":")" + bytes + R"("}}]})");
}

RC_GTEST_PROP(MatrixTransaction, AnyBodyTextComesThrough, (const std::string& bytes)) {
  json source = message_event();
  source["content"]["body"] = bytes;
  const std::string text = source.dump(-1, ' ', true, json::error_handler_t::replace);
  const auto event = parse_event(text);
  RC_ASSERT(event.has_value());
  RC_ASSERT(event->body == json::parse(text)["content"]["body"].get<std::string>());
}

}  // namespace
}  // namespace steward::matrix
