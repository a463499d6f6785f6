// The application-service endpoint behind the real server on loopback: rows 1–10 of facts/matrix-protocol.md §6, and
// tokens.
#include "matrix/appservice.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "../support/run.hpp"
#include "async/tasks.hpp"
#include "core/log.hpp"
#include "http/client.hpp"

namespace steward::matrix {
namespace {

namespace asio = boost::asio;
using nlohmann::json;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using Clock = std::chrono::steady_clock;

constexpr const char* token = "hs_secret_token";
constexpr std::size_t megabyte = 1U << 20;

json message(const std::string& event_id, const std::string& body) {
  json event = json::object();
  event["event_id"] = event_id;
  event["room_id"] = "!admin:hs.test";
  event["sender"] = "@alice:hs.test";
  event["type"] = "m.room.message";
  event["content"] = {{"msgtype", "m.text"}, {"body", body}};
  event["unsigned"] = {{"age", 5}};
  return event;
}

std::string transaction(const std::vector<json>& events) { return json({{"events", events}}).dump(); }

class AppserviceEndpoint : public testing::Test {
 protected:
  void SetUp() override { start(false); }

  void start(bool legacy_query_token) {
    AppserviceOptions options;
    options.hs_token = core::Secret(token);
    options.legacy_query_token = legacy_query_token;
    auto store = [this](std::vector<Event> events) { return receive(std::move(events)); };
    appservice_ = std::make_unique<Appservice>(std::move(options), compute_, store);
    auto gate = [this](const http::Request& head) { return appservice_->gate(head); };
    auto handler = [this](http::Request request) { return appservice_->handle(std::move(request)); };
    auto server = http::Server::listen(io_.get_executor(), http::ServerOptions(), gate, handler);
    ASSERT_TRUE(server) << core::describe(server.error());
    server_ = std::move(*server);
    server_->start();
    http::ClientOptions client;
    client.base_url = "http://127.0.0.1:" + std::to_string(server_->port());
    client_ = std::move(*http::Client::create(io_.get_executor(), std::move(client)));
  }

  // Stands where the inbox stands: each event id once, as its table does it.
  asio::awaitable<core::Result<void>> receive(std::vector<Event> events) {
    ++received_;
    if (store_takes_ > milliseconds(0)) co_await async::sleep_for(store_takes_);
    if (store_fails_) co_return core::fail(core::Code::unavailable, "The store is away");
    for (Event& event : events) {
      if (seen_.insert(event.event_id.str()).second) stored_.push_back(event.body);
    }
    co_return core::Result<void>();
  }

  http::Response ask(std::string method, std::string target, std::string body = {}, std::string bearer = token) {
    http::Request request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = std::move(body);
    if (!bearer.empty()) request.headers.emplace_back("Authorization", "Bearer " + bearer);
    auto response = test::run(io_, client_->send(std::move(request), http::CallOptions()));
    if (!response) {
      ADD_FAILURE() << core::describe(response.error());
      return {};
    }
    return std::move(*response);
  }
  http::Response put(const std::string& id, std::string body) {
    return ask("PUT", "/_matrix/app/v1/transactions/" + id, std::move(body));
  }

  // Sends the head of a request as it is and gives all that comes until the server closes.
  std::string raw(std::string head) { return test::run(io_, exchange(std::move(head))); }
  asio::awaitable<std::string> exchange(std::string bytes) {
    asio::ip::tcp::socket socket(io_);
    const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server_->port());
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    const auto out = asio::buffer(bytes);
    co_await asio::async_write(socket, out, asio::use_awaitable);
    std::string in;
    boost::system::error_code error;
    auto until_closed = asio::redirect_error(asio::use_awaitable, error);
    auto buffer = asio::dynamic_buffer(in);
    co_await asio::async_read(socket, buffer, until_closed);
    co_return in;
  }
  // With these header lines added.
  std::string raw_put(const std::string& target, const std::string& headers) {
    return raw("PUT " + target + " HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n" + headers +
               "Content-Length: 13\r\n\r\n{\"events\":[]}");
  }

  static void expect_error(const http::Response& response, unsigned status, const std::string& errcode) {
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.header("content-type"), "application/json");
    const json body = json::parse(response.body, nullptr, false);
    ASSERT_TRUE(body.is_object()) << response.body;
    EXPECT_EQ(body["errcode"], errcode);
  }

  asio::io_context io_{1};
  async::WorkThread compute_{"compute"};
  std::unique_ptr<Appservice> appservice_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Client> client_;
  int received_ = 0;
  milliseconds store_takes_{0};
  bool store_fails_ = false;
  std::set<std::string> seen_;
  std::vector<std::string> stored_;
};

const std::string transactions = "/_matrix/app/v1/transactions/";

// Row 1
TEST_F(AppserviceEndpoint, TheSameTransactionTwiceIsAcknowledgedTwiceAndStoredOnce) {
  const std::string body = transaction({message("$1", "!help")});
  for (int time = 0; time < 2; ++time) {
    const http::Response response = put("7", body);
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body, "{}");  // an empty body would mark the bot as down
  }
  EXPECT_THAT(stored_, ElementsAre("!help"));
}

// Row 2
TEST_F(AppserviceEndpoint, ATransactionIdUsedAgainWithNewEventsIsProcessed) {
  EXPECT_EQ(put("1", transaction({message("$1", "one")})).status, 200U);
  EXPECT_EQ(put("1", transaction({message("$2", "two")})).status, 200U);
  EXPECT_THAT(stored_, ElementsAre("one", "two"));
}

// Row 3
TEST_F(AppserviceEndpoint, AnEventInTwoTransactionsIsStoredOnce) {
  put("1", transaction({message("$1", "one")}));
  put("2", transaction({message("$1", "one"), message("$2", "two")}));
  EXPECT_THAT(stored_, ElementsAre("one", "two"));
}

// Row 4
TEST_F(AppserviceEndpoint, SixMegabytesAreParsedOffTheLoop) {
  std::vector<json> events;
  for (int i = 0; i < 100; ++i) events.push_back(message("$" + std::to_string(i), std::string(62'000, 'x')));
  std::string body = transaction(events);
  ASSERT_GT(body.size(), 6 * megabyte - megabyte / 2);
  EXPECT_EQ(put("1", std::move(body)).status, 200U);
  EXPECT_THAT(stored_, SizeIs(100));
  EXPECT_EQ(appservice_->counters().events, 100U);
}

// Row 4, the loop goes on meanwhile: `compute` is held up, and small requests are answered all the same.
TEST_F(AppserviceEndpoint, ALargeTransactionDoesNotHoldUpTheOthers) {
  std::atomic<bool> release = false;
  asio::post(compute_.executor(), [&release] {
    while (!release) std::this_thread::sleep_for(milliseconds(1));
  });
  bool large_done = false;
  http::Request large;
  large.method = "PUT";
  large.target = transactions + "1";
  large.body = transaction({message("$1", std::string(2 * megabyte, 'x'))});
  large.headers.emplace_back("Authorization", std::string("Bearer ") + token);
  auto on_end = [&large_done](std::exception_ptr, core::Result<http::Response> response) {
    large_done = response && response->status == 200;
  };
  asio::co_spawn(io_, client_->send(std::move(large), http::CallOptions()), on_end);
  EXPECT_EQ(put("2", transaction({message("$2", "small")})).status, 200U);
  EXPECT_THAT(stored_, ElementsAre("small"));
  release = true;
  io_.restart();
  const auto give_up = Clock::now() + std::chrono::seconds(20);
  while (!large_done && Clock::now() < give_up) io_.run_one_for(milliseconds(100));
  EXPECT_TRUE(large_done);
  EXPECT_THAT(stored_, SizeIs(2));
}

// Row 5
TEST_F(AppserviceEndpoint, BrokenEventsAreLeftOutAndTheOthersRun) {
  json without_content = message("$2", "");
  without_content["content"] = nullptr;
  json wrong_sender = message("$3", "");
  wrong_sender["sender"] = 7;
  const http::Response response =
      put("1", transaction({message("$1", "one"), without_content, wrong_sender, json(7), message("$4", "four")}));
  EXPECT_EQ(response.status, 200U);
  EXPECT_THAT(stored_, ElementsAre("one", "four"));
  EXPECT_EQ(appservice_->counters().broken, 3U);
  EXPECT_EQ(appservice_->counters().transactions, 1U);
}

// Row 6
TEST_F(AppserviceEndpoint, WhatIsNotJsonIsRefused) {
  for (const char* body : {"hello", "[]", "{\"events\":[", "7"}) expect_error(put("1", body), 400, "M_NOT_JSON");
  expect_error(ask("POST", "/_matrix/app/v1/ping", "hello"), 400, "M_NOT_JSON");
  EXPECT_EQ(received_, 0);
  EXPECT_EQ(put("1", transaction({message("$1", "one")})).status, 200U);
}

// Row 7
TEST_F(AppserviceEndpoint, OnlyOneRightTokenInTheHeaderOpens) {
  expect_error(ask("PUT", transactions + "1", "{}", "wrong"), 403, "M_FORBIDDEN");
  expect_error(ask("PUT", transactions + "1", "{}", std::string(token) + "x"), 403, "M_FORBIDDEN");
  expect_error(ask("PUT", transactions + "1", "{}", ""), 401, "M_MISSING_TOKEN");
  expect_error(ask("PUT", transactions + "1?access_token=" + token, "{}", ""), 401, "M_MISSING_TOKEN");
  expect_error(ask("GET", "/somewhere", "", ""), 401, "M_MISSING_TOKEN");

  const std::string right = std::string("Authorization: Bearer ") + token + "\r\n";
  EXPECT_THAT(raw_put(transactions + "1", right), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(raw_put(transactions + "1", right + right), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(raw_put(transactions + "1", right + "authorization: Bearer other\r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(raw_put(transactions + "1", std::string("Authorization: Basic ") + token + "\r\n"),
              StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(raw_put(transactions + "1", "Authorization: Bearer \r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(raw_put(transactions + "1", std::string("AUTHORIZATION: bearer ") + token + "\r\n"),
              StartsWith("HTTP/1.1 200"));
  // Without the option the query says nothing, neither right nor wrong.
  EXPECT_THAT(raw_put(transactions + "1?access_token=wrong", right), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(received_, 0);
}

// Row 7
TEST_F(AppserviceEndpoint, TheQueryTokenCountsOnlyByOption) {
  start(true);
  const std::string right = std::string("Authorization: Bearer ") + token + "\r\n";
  EXPECT_EQ(ask("PUT", transactions + "1?access_token=" + token, "{}", "").status, 200U);
  expect_error(ask("PUT", transactions + "1?access_token=wrong", "{}", ""), 403, "M_FORBIDDEN");
  expect_error(ask("PUT", transactions + "1?access_token=", "{}", ""), 401, "M_MISSING_TOKEN");
  expect_error(ask("PUT", transactions + "1", "{}", ""), 401, "M_MISSING_TOKEN");
  EXPECT_EQ(ask("PUT", transactions + "1?access_token=" + token, "{}").status, 200U);
  expect_error(ask("PUT", transactions + "1?access_token=wrong", "{}"), 403, "M_FORBIDDEN");  // both must agree
  const std::string twice = transactions + "1?access_token=" + token + "&access_token=" + token;
  EXPECT_THAT(raw_put(twice, ""), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(raw_put(transactions + "1?access_token=" + token, "Authorization: Basic x\r\n"),
              StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(raw_put(transactions + "1", right), StartsWith("HTTP/1.1 200"));
}

TEST_F(AppserviceEndpoint, AnUnsetTokenOpensNothing) {
  Appservice unset(AppserviceOptions(), compute_, nullptr);
  http::Request head;
  head.method = "PUT";
  head.target = transactions + "1";
  EXPECT_EQ(unset.gate(head)->status, 401U);
  head.headers.emplace_back("Authorization", "Bearer ");
  EXPECT_EQ(unset.gate(head)->status, 401U);
  head.headers.front().second = "Bearer x";
  EXPECT_EQ(unset.gate(head)->status, 403U);
}

// The token is judged on the head: the body is announced and never sent.
TEST_F(AppserviceEndpoint, ThirtyTwoMegabytesWithoutATokenAreNotRead) {
  const auto start = Clock::now();
  const std::string answer = raw("PUT " + transactions + "1 HTTP/1.1\r\nHost: bot\r\nContent-Length: 33554432\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 401"));
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(5));
}

// Row 8
TEST_F(AppserviceEndpoint, AsksAboutUsersAreAnsweredAtOnce) {
  for (const char* path :
       {"users/%40x%3Ahs.test", "rooms/%23x%3Ahs.test", "thirdparty/protocol/irc", "thirdparty/user"}) {
    const auto start = Clock::now();
    expect_error(ask("GET", std::string("/_matrix/app/v1/") + path), 404, "M_NOT_FOUND");
    EXPECT_LT(Clock::now() - start, std::chrono::seconds(1));
  }
}

// Row 9
TEST_F(AppserviceEndpoint, OtherPathsAndMethodsAreUnrecognized) {
  for (const char* path :
       {"/", "/_matrix/app/v1/", "/_matrix/app/v1/transactions", "/_matrix/app/v1/transactions/",
        "/_matrix/app/v1/transactions/1/2", "/_matrix/app/v1/users/", "/_matrix/app/v1/pings", "/_matrix/app/v2/ping",
        "/transactions/1", "/_matrix/app/v1/thirdparty/", "/_matrix/app/unstable/org.matrix.msc3983/keys/claim"}) {
    expect_error(ask("PUT", path, "{}"), 404, "M_UNRECOGNIZED");
  }
  expect_error(ask("GET", transactions + "1"), 405, "M_UNRECOGNIZED");
  expect_error(ask("POST", transactions + "1", "{}"), 405, "M_UNRECOGNIZED");
  expect_error(ask("GET", "/_matrix/app/v1/ping"), 405, "M_UNRECOGNIZED");
  expect_error(ask("PUT", "/_matrix/app/v1/users/x", "{}"), 405, "M_UNRECOGNIZED");
  EXPECT_EQ(received_, 0);
}

// Row 10: the answer waits for the store, and for nothing else.
TEST_F(AppserviceEndpoint, TheAnswerComesWhenTheEventsAreStored) {
  store_takes_ = milliseconds(150);
  const auto start = Clock::now();
  EXPECT_EQ(put("1", transaction({message("$1", "!purge-media 30d")})).status, 200U);
  const auto took = Clock::now() - start;
  EXPECT_GE(took, milliseconds(150));
  EXPECT_LT(took, std::chrono::seconds(5));
  EXPECT_THAT(stored_, SizeIs(1));
}

TEST_F(AppserviceEndpoint, WhatCouldNotBeStoredComesAgain) {
  store_fails_ = true;
  const std::string body = transaction({message("$1", "one")});
  expect_error(put("1", body), 503, "M_UNKNOWN");
  EXPECT_EQ(appservice_->counters().refused, 1U);
  EXPECT_EQ(appservice_->counters().transactions, 0U);
  // What needs no memory is acknowledged without the store.
  EXPECT_EQ(put("2", R"({"events":[]})").status, 200U);
  store_fails_ = false;
  EXPECT_EQ(put("1", body).status, 200U);
  EXPECT_THAT(stored_, ElementsAre("one"));
}

TEST_F(AppserviceEndpoint, RemembersThePing) {
  EXPECT_THAT(appservice_->last_ping(), IsEmpty());
  EXPECT_EQ(ask("POST", "/_matrix/app/v1/ping", R"({"transaction_id":"p1"})").body, "{}");
  EXPECT_EQ(appservice_->last_ping(), "p1");
}

TEST_F(AppserviceEndpoint, NoTokenReachesTheLog) {
  testing::internal::CaptureStderr();
  core::set_log_level(core::LogLevel::debug);
  ask("PUT", transactions + "1?access_token=" + token, "{}", "wrong_secret_token");
  put("1", "not json");
  store_fails_ = true;
  put("1", transaction({message("$1", "one"), json(7)}));
  core::set_log_level(core::LogLevel::info);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("not JSON"));
  EXPECT_THAT(log, Not(HasSubstr("secret_token")));
  EXPECT_THAT(log, Not(HasSubstr("access_token")));
}

}  // namespace
}  // namespace steward::matrix
