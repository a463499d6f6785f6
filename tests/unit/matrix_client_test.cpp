// The client-server API on a scripted transport: what is asked, how answers are read, what is tried again and what
// never.
#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json.hpp>

#include "../support/run.hpp"
#include "../support/scripted_transport.hpp"
#include "matrix/client.hpp"

namespace steward::matrix {
namespace {

using core::Code;
using nlohmann::json;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string as_the_bot = "?user_id=%40steward%3Ahs.test&device_id=STEWARD01";
const core::RoomId room("!a/b:hs.test");

class MatrixClient : public testing::Test {
 protected:
  static ClientOptions options() {
    ClientOptions options;
    options.token = core::Secret("as_secret_token");
    options.user = core::UserId("@steward:hs.test");
    options.device_id = "STEWARD01";
    options.appservice_id = "steward/1";
    options.first_delay = milliseconds(1);
    return options;
  }
  template <class T>
  T run(boost::asio::awaitable<T> coroutine) {
    return test::run(io_, std::move(coroutine));
  }
  void expect_request(const std::string& method, const std::string& target) {
    ASSERT_FALSE(transport_.requests.empty());
    EXPECT_EQ(transport_.last().method, method);
    EXPECT_EQ(transport_.last().target, target);
  }
  json sent() const { return json::parse(transport_.last().body); }

  boost::asio::io_context io_;
  test::ScriptedTransport transport_;
  Client client_{transport_, options()};
};

TEST_F(MatrixClient, SendsAsTheUserWithItsDevice) {
  transport_.answer(200, R"({"event_id":"$sent"})");
  const auto sent = run(client_.send(room, "m.room.message", "st/1", R"({"body":"hi"})"));
  ASSERT_TRUE(sent) << core::describe(sent.error());
  EXPECT_EQ(sent->str(), "$sent");
  expect_request("PUT", "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs.test/send/m.room.message/st%2F1" + as_the_bot);
  EXPECT_EQ(transport_.last_header("Authorization"), "Bearer as_secret_token");
  EXPECT_EQ(transport_.last().body, R"({"body":"hi"})");
  EXPECT_TRUE(transport_.repeats.back());
}

TEST_F(MatrixClient, RegistersWithoutMasquerade) {
  transport_.answer(200, R"({"user_id":"@steward:hs.test"})");
  EXPECT_TRUE(run(client_.register_user("steward")));
  expect_request("POST", "/_matrix/client/v3/register");
  EXPECT_EQ(sent(), json::parse(R"({"type":"m.login.application_service","username":"steward","inhibit_login":true})"));
  transport_.answer(400, R"({"errcode":"M_USER_IN_USE","error":"taken"})");
  EXPECT_TRUE(run(client_.register_user("steward")));
  transport_.answer(400, R"({"errcode":"M_EXCLUSIVE","error":"outside"})");
  const auto outside = run(client_.register_user("steward"));
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().source, "M_EXCLUSIVE");
  EXPECT_THAT(outside.error().next, HasSubstr("namespaces.users"));
}

TEST_F(MatrixClient, MakesItsDeviceBeforeNamingIt) {
  transport_.answer(201, "{}");
  EXPECT_TRUE(run(client_.put_device("Steward")));
  expect_request("PUT", "/_matrix/client/v3/devices/STEWARD01?user_id=%40steward%3Ahs.test");
  EXPECT_EQ(sent(), json::parse(R"({"display_name":"Steward"})"));
  transport_.answer(404, R"({"errcode":"M_NOT_FOUND","error":"Not found"})");  // Synapse 1.106
  EXPECT_TRUE(run(client_.put_device("Steward")));
  transport_.answer(404, R"({"errcode":"M_UNRECOGNIZED","error":"no such path"})");
  EXPECT_FALSE(run(client_.put_device("Steward")));
}

TEST_F(MatrixClient, AsksWhoItIs) {
  transport_.answer(200, R"({"user_id":"@steward:hs.test","device_id":"STEWARD01"})");
  const auto bot = run(client_.whoami());
  ASSERT_TRUE(bot);
  EXPECT_EQ(bot->user.str(), "@steward:hs.test");
  EXPECT_EQ(bot->device_id, "STEWARD01");
  expect_request("GET", "/_matrix/client/v3/account/whoami" + as_the_bot);
  transport_.answer(200, R"({"user_id":"@_steward_as:hs.test"})");
  EXPECT_EQ(run(client_.whoami_sender())->user.str(), "@_steward_as:hs.test");
  expect_request("GET", "/_matrix/client/v3/account/whoami");
  transport_.answer(200, R"({"user_id":7})");
  EXPECT_EQ(run(client_.whoami()).error().code, Code::protocol);
}

TEST_F(MatrixClient, PingsOnceAndExplainsTheAnswer) {
  transport_.answer(200, R"({"duration_ms":2})");
  EXPECT_EQ(run(client_.ping("p1")), milliseconds(2));
  expect_request("POST", "/_matrix/client/v1/appservice/steward%2F1/ping");
  EXPECT_EQ(sent(), json::parse(R"({"transaction_id":"p1"})"));
  transport_.answer(502, R"({"errcode":"M_BAD_STATUS","error":"403","status":403,"body":"{}"})");
  auto failed = run(client_.ping("p2"));
  EXPECT_THAT(failed.error().next, HasSubstr("hs_token"));
  transport_.answer(502, R"({"errcode":"M_CONNECTION_FAILED","error":"refused"})");
  failed = run(client_.ping("p3"));
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_THAT(failed.error().next, HasSubstr("appservice.bind"));
  transport_.answer(400, R"({"errcode":"M_URL_NOT_SET","error":"no url"})");
  EXPECT_EQ(run(client_.ping("p4")).error().code, Code::rejected);
  EXPECT_EQ(transport_.requests.size(), 4U);
}

TEST_F(MatrixClient, AsksForVersionsWithoutAToken) {
  transport_.answer(200, R"({"versions":["v1.1",7,"v1.15"]})");
  EXPECT_THAT(*run(client_.versions()), ElementsAre("v1.1", "v1.15"));
  expect_request("GET", "/_matrix/client/versions");
  EXPECT_EQ(transport_.last_header("Authorization"), "");
  transport_.answer(200, "{}");
  EXPECT_EQ(run(client_.versions()).error().code, Code::protocol);
}

TEST_F(MatrixClient, RoomCalls) {
  transport_.answer(200, R"({"room_id":"!new"})");
  EXPECT_EQ(run(client_.create_room("{\"name\":\"x\"}"))->str(), "!new");
  expect_request("POST", "/_matrix/client/v3/createRoom" + as_the_bot);
  EXPECT_FALSE(transport_.repeats.back());

  transport_.answer(200, "{}");
  EXPECT_TRUE(run(client_.invite(room, core::UserId("@alice:hs.test"), "")));
  expect_request("POST", "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs.test/invite" + as_the_bot);
  EXPECT_EQ(sent(), json::parse(R"({"user_id":"@alice:hs.test"})"));

  transport_.answer(200, R"({"room_id":"!a/b:hs.test"})");
  std::vector<std::string> via = {"one.test:8448"};
  EXPECT_TRUE(run(client_.join(room, std::move(via))));
  expect_request("POST", "/_matrix/client/v3/join/%21a%2Fb%3Ahs.test?via=one.test%3A8448&server_name=one.test%3A8448&" +
                             as_the_bot.substr(1));
  transport_.answer(200, "{}");
  EXPECT_TRUE(run(client_.leave(room)));

  transport_.answer(200, R"({"joined_rooms":["!a","nonsense","!b:hs.test",7]})");
  EXPECT_THAT(*run(client_.joined_rooms()), ElementsAre(core::RoomId("!a"), core::RoomId("!b:hs.test")));
  transport_.answer(200, R"({"joined":{"@a:hs.test":{},"nobody":{},"@b:hs.test":{"display_name":"B"}}})");
  EXPECT_THAT(*run(client_.joined_members(room)), ElementsAre(core::UserId("@a:hs.test"), core::UserId("@b:hs.test")));
  transport_.answer(200, R"({"joined":7})");
  EXPECT_EQ(run(client_.joined_members(room)).error().code, Code::protocol);
}

TEST_F(MatrixClient, ReadsAndWritesState) {
  transport_.answer(
      200, R"([{"type":"m.room.name","state_key":"","content":{"name":"x"},"event_id":"$1","sender":"@a:hs.test"},
    {"type":"broken"},null])");
  const auto state = run(client_.state(room));
  ASSERT_TRUE(state);
  ASSERT_EQ(state->size(), 1U);
  EXPECT_EQ(state->front().room_id, room);  // taken from the question where the answer leaves it out
  transport_.answer(200, R"({"algorithm":"x"})");
  EXPECT_EQ(*run(client_.state_content(room, "m.room.encryption", "")), R"({"algorithm":"x"})");
  expect_request("GET", "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs.test/state/m.room.encryption/" + as_the_bot);
  transport_.answer(404, R"({"errcode":"M_NOT_FOUND","error":"none"})");
  EXPECT_EQ(*run(client_.state_content(room, "m.room.encryption", "")), std::nullopt);
  transport_.answer(404, R"({"errcode":"M_UNRECOGNIZED","error":"no such path"})");
  EXPECT_EQ(run(client_.state_content(room, "m.room.encryption", "")).error().code, Code::not_found);
  transport_.answer(200, R"({"a":)" + std::string(5000, '[') + std::string(5000, ']') + "}");
  EXPECT_EQ(run(client_.state_content(room, "org.example", "")).error().code, Code::protocol);
  transport_.answer(200, R"({"event_id":"$state"})");
  EXPECT_EQ(run(client_.put_state(room, "m.room.name", "key", "{}"))->str(), "$state");
  expect_request("PUT", "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs.test/state/m.room.name/key" + as_the_bot);
}

TEST_F(MatrixClient, AliasesAndTags) {
  transport_.answer(200, R"({"room_id":"!b:hs.test","servers":["hs.test"]})");
  EXPECT_EQ(*run(client_.resolve_alias(core::RoomAlias("#x:hs.test"))), core::RoomId("!b:hs.test"));
  expect_request("GET", "/_matrix/client/v3/directory/room/%23x%3Ahs.test" + as_the_bot);
  transport_.answer(404, R"({"errcode":"M_NOT_FOUND","error":"none"})");
  EXPECT_EQ(*run(client_.resolve_alias(core::RoomAlias("#x:hs.test"))), std::nullopt);
  transport_.answer(200, "{}");
  EXPECT_FALSE(run(client_.resolve_alias(core::RoomAlias("#x:hs.test"))));
  transport_.answer(200, "{}");
  EXPECT_TRUE(run(client_.put_tag(room, "u.steward")));
  expect_request("PUT",
                 "/_matrix/client/v3/user/%40steward%3Ahs.test/rooms/%21a%2Fb%3Ahs.test/tags/u.steward" + as_the_bot);
  transport_.answer(200, R"({"tags":{"u.steward":{},"m.favourite":{}}})");
  EXPECT_THAT(*run(client_.tags(room)), ElementsAre("m.favourite", "u.steward"));
}

TEST_F(MatrixClient, ReadsEventsAndHistory) {
  const std::string event = R"({"type":"m.room.message","content":{"body":"x"},"event_id":"$1","sender":"@a:hs.test"})";
  transport_.answer(200, event);
  EXPECT_EQ(run(client_.event(room, core::EventId("$1/+")))->body, "x");
  expect_request("GET", "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs.test/event/%241%2F%2B" + as_the_bot);
  transport_.answer(404, R"({"errcode":"M_NOT_FOUND","error":"none"})");
  EXPECT_EQ(run(client_.event(room, core::EventId("$1"))).error().code, Code::not_found);
  transport_.answer(200, R"({"chunk":[)" + event + R"(,{}],"start":"t1","end":"t2"})");
  const auto page = run(client_.messages_backward(room, "t1", 50));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->events.size(), 1U);
  EXPECT_EQ(page->end, "t2");
  expect_request("GET",
                 "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs.test/messages?dir=b&limit=50&from=t1&" + as_the_bot.substr(1));
  transport_.answer(200, R"({"chunk":[]})");
  EXPECT_THAT(run(client_.messages_backward(room, "", 1))->end, IsEmpty());
}

TEST_F(MatrixClient, SmallCalls) {
  transport_.answer(200, R"({"event_id":"$r"})");
  EXPECT_EQ(run(client_.redact(room, core::EventId("$x"), "st2", "secret"))->str(), "$r");
  EXPECT_EQ(sent(), json::parse(R"({"reason":"secret"})"));
  expect_request("PUT", "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs.test/redact/%24x/st2" + as_the_bot);
  transport_.answer(200, "{}");
  EXPECT_TRUE(run(client_.typing(room, true)));
  EXPECT_EQ(sent(), json::parse(R"({"typing":true,"timeout":30000})"));
  transport_.answer(200, "{}");
  EXPECT_TRUE(run(client_.read_receipt(room, core::EventId("$x"))));
  expect_request("POST", "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs.test/receipt/m.read/%24x" + as_the_bot);
  transport_.answer(200, "{}");
  EXPECT_TRUE(run(client_.set_display_name("Steward")));
  EXPECT_EQ(sent(), json::parse(R"({"displayname":"Steward"})"));
}

TEST_F(MatrixClient, Uploads) {
  transport_.answer(200, R"({"content_uri":"mxc://hs.test/abc"})");
  EXPECT_EQ(*run(client_.upload("a b.csv", "text/csv", "1;2")), "mxc://hs.test/abc");
  expect_request("POST", "/_matrix/media/v3/upload?filename=a%20b.csv&" + as_the_bot.substr(1));
  EXPECT_EQ(transport_.last().content_type, "text/csv");
  EXPECT_EQ(transport_.last().body, "1;2");
  transport_.answer(200, R"({"content_uri":"http://evil"})");
  EXPECT_EQ(run(client_.upload("a", "text/csv", "1")).error().code, Code::protocol);
  transport_.fail(Code::timeout);
  EXPECT_EQ(run(client_.upload("a", "text/csv", "1")).error().code, Code::timeout);  // not sent a second time
}

TEST_F(MatrixClient, KeepsOneDirectRoomPerPerson) {
  const core::UserId alice("@alice:hs.test");
  transport_.answer(404, R"({"errcode":"M_NOT_FOUND","error":"none"})");
  transport_.answer(200, R"({"room_id":"!dm"})");
  transport_.answer(200, "{}");
  EXPECT_EQ(run(client_.direct_room(alice, "{}"))->str(), "!dm");
  expect_request("PUT", "/_matrix/client/v3/user/%40steward%3Ahs.test/account_data/m.direct" + as_the_bot);
  EXPECT_EQ(sent(), json::parse(R"({"@alice:hs.test":["!dm"]})"));

  transport_.answer(200, R"({"@alice:hs.test":["!gone","!left","!dm"],"@bob:hs.test":["!x"]})");
  transport_.answer(403, R"({"errcode":"M_FORBIDDEN","error":"not in it"})");
  transport_.answer(200, R"({"membership":"leave"})");
  transport_.answer(200, R"({"membership":"invite"})");
  EXPECT_EQ(run(client_.direct_room(alice, "{}"))->str(), "!dm");
}

// Refusals and retries.

struct Refused {
  unsigned status;
  const char* body;
  Code code;
  const char* errcode;
};
class Refusal : public MatrixClient, public testing::WithParamInterface<Refused> {};
TEST_P(Refusal, BecomesAnError) {
  const Refused& refused = GetParam();
  transport_.answer(refused.status, refused.body);
  const auto left = run(client_.leave(room));
  ASSERT_FALSE(left);
  EXPECT_EQ(left.error().code, refused.code);
  EXPECT_EQ(left.error().source, refused.errcode);
  EXPECT_EQ(left.error().what, "Could not leave a room");
  EXPECT_EQ(transport_.requests.size(), 1U);
}
INSTANTIATE_TEST_SUITE_P(
    Statuses, Refusal,
    testing::Values(Refused{401, R"({"errcode":"M_UNKNOWN_TOKEN","error":"?"})", Code::not_allowed, "M_UNKNOWN_TOKEN"},
                    Refused{403, R"({"errcode":"M_FORBIDDEN","error":"no"})", Code::not_allowed, "M_FORBIDDEN"},
                    Refused{404, R"({"errcode":"M_NOT_FOUND","error":"no"})", Code::not_found, "M_NOT_FOUND"},
                    Refused{400, R"({"errcode":"M_BAD_JSON","error":"no"})", Code::rejected, "M_BAD_JSON"},
                    Refused{409, R"({"errcode":7,"error":[]})", Code::rejected, ""},
                    Refused{413, R"({"errcode":"M_TOO_LARGE","error":"no"})", Code::rejected, "M_TOO_LARGE"},
                    Refused{404, "<html>nginx</html>", Code::not_found, ""}, Refused{301, "", Code::protocol, ""},
                    Refused{200, "OK", Code::protocol, ""}, Refused{204, "", Code::protocol, ""}));

TEST_F(MatrixClient, TriesTemporaryFailuresAgainWithTheSameTransactionId) {
  transport_.answer(503, "busy");
  transport_.fail(Code::unavailable);
  transport_.fail(Code::in_doubt);
  transport_.answer(200, R"({"event_id":"$sent"})");
  EXPECT_TRUE(run(client_.send(room, "m.room.message", "st1", "{\"a\":1}")));
  ASSERT_EQ(transport_.requests.size(), 4U);
  for (const http::Request& request : transport_.requests) {
    EXPECT_EQ(request.target, transport_.requests.front().target);
    EXPECT_EQ(request.body, "{\"a\":1}");
  }
}

TEST_F(MatrixClient, GivesUpAfterItsAttempts) {
  for (int attempt = 0; attempt < 4; ++attempt) transport_.answer(500, R"({"errcode":"M_UNKNOWN","error":"Internal"})");
  const auto sent = run(client_.send(room, "m.room.message", "st1", "{}"));
  EXPECT_EQ(sent.error().code, Code::unavailable);
  EXPECT_EQ(sent.error().source, "M_UNKNOWN");
  for (int attempt = 0; attempt < 4; ++attempt) transport_.fail(Code::timeout);
  EXPECT_EQ(run(client_.send(room, "m.room.message", "st1", "{}")).error().code, Code::timeout);
}

TEST_F(MatrixClient, WaitsAsLongAsARateLimitSays) {
  transport_.answer(429, R"({"errcode":"M_LIMIT_EXCEEDED","error":"slow down","retry_after_ms":60})");
  transport_.answer(200, R"({"event_id":"$sent"})");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(run(client_.send(room, "m.room.message", "st1", "{}")));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(60));
  // Too long to wait inside a call: the caller is told.
  transport_.answer(429, R"({"errcode":"M_LIMIT_EXCEEDED","error":"slow down","retry_after_ms":3600000})");
  auto refused = run(client_.send(room, "m.room.message", "st1", "{}"));
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_THAT(refused.error().next, HasSubstr("rate_limited: false"));
  http::Headers headers;
  headers.emplace_back("Retry-After", "7200");
  transport_.answer(429, "{}", std::move(headers));
  EXPECT_EQ(run(client_.send(room, "m.room.message", "st1", "{}")).error().code, Code::unavailable);
}

TEST_F(MatrixClient, WhatMustHappenOnceIsOnlyTriedAgainUnsent) {
  transport_.fail(Code::unavailable);
  transport_.answer(429, R"({"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1})");
  transport_.answer(200, R"({"room_id":"!new"})");
  EXPECT_TRUE(run(client_.create_room("{}")));
  for (const Code code : {Code::timeout, Code::in_doubt}) {
    transport_.fail(code);
    EXPECT_EQ(run(client_.create_room("{}")).error().code, code);
  }
  for (const unsigned status : {500U, 502U, 504U}) {
    transport_.answer(status, "{}");
    EXPECT_EQ(run(client_.create_room("{}")).error().code, Code::in_doubt) << status;
  }
  transport_.answer(503, "{}");
  EXPECT_EQ(run(client_.create_room("{}")).error().code, Code::unavailable);
}

TEST_F(MatrixClient, CancellationEndsTheWaiting) {
  transport_.answer(429, R"({"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":20000})");
  boost::asio::cancellation_signal signal;
  std::optional<core::Result<core::EventId>> result;
  auto on_end = [&result](std::exception_ptr, core::Result<core::EventId> sent) { result.emplace(std::move(sent)); };
  boost::asio::co_spawn(io_, client_.send(room, "m.room.message", "st1", "{}"),
                        boost::asio::bind_cancellation_slot(signal.slot(), on_end));
  boost::asio::steady_timer timer(io_, milliseconds(20));
  timer.async_wait([&signal](boost::system::error_code) { signal.emit(boost::asio::cancellation_type::terminal); });
  io_.run_for(std::chrono::seconds(10));
  ASSERT_TRUE(result);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, Code::cancelled);
}

TEST_F(MatrixClient, ErrorsNeverRepeatSecretsNorControlCharacters) {
  core::remember_secret(core::Secret("as_secret_token"));
  transport_.answer(403, json({{"errcode", "M_FORBIDDEN"}, {"error", "token as_secret_token\n\u202E refused"}}).dump());
  const auto refused = run(client_.leave(room));
  EXPECT_THAT(core::describe(refused.error()), Not(HasSubstr("as_secret_token")));
  EXPECT_THAT(refused.error().why, Not(HasSubstr("\n")));
  EXPECT_THAT(refused.error().why, Not(HasSubstr("\u202E")));
}

}  // namespace
}  // namespace steward::matrix
