// The client against scripted peers on loopback: reuse, dead connections, deadlines, limits, cancellation.
#include "http/client.hpp"

#include <gmock/gmock.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <cstdlib>
#include <filesystem>

#include "../support/run.hpp"
#include "async/tasks.hpp"
#include "http_peer.hpp"

namespace steward::http {
namespace {

namespace asio = boost::asio;
using core::Code;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpClient : public testing::Test {
 protected:
  std::unique_ptr<Client> client_for(const std::string& url, std::size_t connections = 8) {
    ClientOptions options;
    options.base_url = url;
    options.max_connections = connections;
    auto client = Client::create(io_.get_executor(), std::move(options));
    EXPECT_TRUE(client) << core::describe(client.error());
    return std::move(*client);
  }

  static Request request(std::string method, std::string target = "/a", std::string body = "") {
    Request made;
    made.method = std::move(method);
    made.target = std::move(target);
    made.body = std::move(body);
    return made;
  }

  core::Result<Response> send(Client& client, Request what, CallOptions options = {}) {
    auto call = client.send(std::move(what), options);
    return test::run(io_, std::move(call));
  }

  void pause(milliseconds duration) {
    auto sleep = async::sleep_for(duration);
    test::run(io_, std::move(sleep));
  }

  static CallOptions within(milliseconds deadline) {
    CallOptions options;
    options.deadline = deadline;
    return options;
  }

  asio::io_context io_{1};
};

// Answers every request of every connection with its head and body as the answer's body.
asio::awaitable<void> echo(Tcp::socket socket, int) {
  std::string kept;
  for (;;) {
    const std::string request = co_await read_request(socket, kept);
    if (request.empty()) co_return;
    co_await write_text(socket, ok(request));
  }
}

// One answer, then the connection is closed without a word.
asio::awaitable<void> one_answer(Tcp::socket socket, int number) {
  std::string kept;
  co_await read_request(socket, kept);
  co_await write_text(socket, ok(std::to_string(number)));
}

// The first connection answers once, takes a second request and hangs up on it; later ones answer all.
asio::awaitable<void> dies_under_second_request(Tcp::socket socket, int number) {
  std::string kept;
  co_await read_request(socket, kept);
  co_await write_text(socket, ok(std::to_string(number)));
  const std::string second = co_await read_request(socket, kept);
  if (number > 0 && !second.empty()) co_await write_text(socket, ok(std::to_string(number)));
}

asio::awaitable<void> never_answers(Tcp::socket socket, int) {
  std::string kept;
  for (;;) {
    const std::string request = co_await read_request(socket, kept);
    if (request.empty()) co_return;
  }
}

TEST_F(HttpClient, SendsHeadAndBodyAndReusesTheConnection) {
  Peer peer(io_, echo);
  auto client = client_for(peer.url() + "/prefix/");
  Request put = request("PUT", "/x?y=z", R"({"a":1})");
  put.headers = {{"Authorization", "Bearer t"}};
  const auto answer = send(*client, std::move(put));
  ASSERT_TRUE(answer) << core::describe(answer.error());
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->header("content-type"), "application/json");
  EXPECT_THAT(answer->body, StartsWith("PUT /prefix/x?y=z HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(peer.port())));
  EXPECT_THAT(answer->body, HasSubstr("Authorization: Bearer t\r\n"));
  EXPECT_THAT(answer->body, HasSubstr("Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"));
  for (int i = 0; i < 20; ++i) {
    const auto next = send(*client, request("GET"));
    ASSERT_TRUE(next);
    EXPECT_THAT(next->body, Not(HasSubstr("Content-Length")));
  }
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(HttpClient, APostWithoutBodyHasALength) {
  Peer peer(io_, echo);
  auto client = client_for(peer.url());
  const auto answer = send(*client, request("POST"));
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->body, HasSubstr("Content-Length: 0\r\n"));
}

TEST_F(HttpClient, AConnectionClosedWhileIdleIsReplacedForEveryMethod) {
  for (const char* method : {"GET", "PUT", "POST"}) {
    Peer peer(io_, one_answer);
    auto client = client_for(peer.url());
    EXPECT_TRUE(send(*client, request(method)));
    pause(milliseconds(20));
    const auto second = send(*client, request(method));
    ASSERT_TRUE(second) << method << ": " << core::describe(second.error());
    EXPECT_EQ(second->body, "1");
  }
}

TEST_F(HttpClient, ARequestLostOnAKeptConnectionIsRepeatedOnceWhenThatIsSafe) {
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    Peer peer(io_, dies_under_second_request);
    auto client = client_for(peer.url());
    EXPECT_TRUE(send(*client, request(method)));
    const auto second = send(*client, request(method));
    ASSERT_TRUE(second) << method << ": " << core::describe(second.error());
    EXPECT_EQ(second->body, "1");
    EXPECT_EQ(peer.connections(), 2);
  }
}

TEST_F(HttpClient, APostLostOnAKeptConnectionIsInDoubt) {
  Peer peer(io_, dies_under_second_request);
  auto client = client_for(peer.url());
  EXPECT_TRUE(send(*client, request("POST")));
  const auto second = send(*client, request("POST"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::in_doubt);
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(HttpClient, ACallCanForbidTheRepeat) {
  Peer peer(io_, dies_under_second_request);
  auto client = client_for(peer.url());
  EXPECT_TRUE(send(*client, request("DELETE")));
  CallOptions options;
  options.repeat_on_dead_connection = false;
  const auto second = send(*client, request("DELETE"), options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::in_doubt);
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(HttpClient, AFreshConnectionThatBreaksIsNotRepeated) {
  auto hang_up = [](Tcp::socket socket, int) -> asio::awaitable<void> {
    std::string kept;
    co_await read_request(socket, kept);
  };
  Peer peer(io_, hang_up);
  auto client = client_for(peer.url());
  const auto put = send(*client, request("PUT"));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::in_doubt);
  const auto get = send(*client, request("GET"));
  ASSERT_FALSE(get);
  EXPECT_EQ(get.error().code, Code::unavailable);
  EXPECT_EQ(peer.connections(), 2);
}

TEST_F(HttpClient, AnAnswerThatBreaksOffIsInDoubt) {
  auto half = [](Tcp::socket socket, int) -> asio::awaitable<void> {
    std::string kept;
    co_await read_request(socket, kept);
    std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half";
    co_await write_text(socket, std::move(text));
  };
  Peer peer(io_, half);
  auto client = client_for(peer.url());
  const auto answer = send(*client, request("PUT"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::in_doubt);
}

TEST_F(HttpClient, TheDeadlineCoversTheWholeCall) {
  Peer peer(io_, never_answers);
  auto client = client_for(peer.url());
  const auto start = Clock::now();
  const auto answer = send(*client, request("PUT"), within(milliseconds(100)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::timeout);
  EXPECT_GE(Clock::now() - start, milliseconds(100));
  EXPECT_LT(Clock::now() - start, milliseconds(1000));
}

TEST_F(HttpClient, ATricklingAnswerDoesNotStretchTheDeadline) {
  auto trickle = [](Tcp::socket socket, int) -> asio::awaitable<void> {
    std::string kept;
    co_await read_request(socket, kept);
    co_await write_text(socket, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 100; ++i) {
      co_await write_text(socket, "x");
      co_await async::sleep_for(milliseconds(20));
    }
  };
  Peer peer(io_, trickle);
  auto client = client_for(peer.url());
  const auto start = Clock::now();
  const auto answer = send(*client, request("GET"), within(milliseconds(150)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::timeout);
  EXPECT_LT(Clock::now() - start, milliseconds(1000));
}

TEST_F(HttpClient, NothingWasSentWhenNobodyListens) {
  std::string url;
  {
    Peer peer(io_, echo);
    url = peer.url();
    pause(milliseconds(1));
  }
  auto client = client_for(url);
  const auto answer = send(*client, request("POST"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
  EXPECT_THAT(core::describe(answer.error()), HasSubstr("refused"));
}

TEST_F(HttpClient, ANameThatDoesNotExistIsUnavailable) {
  auto client = client_for("http://does-not-exist.invalid:1");
  const auto answer = send(*client, request("GET"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
}

TEST_F(HttpClient, AnAnswerOverTheLimitIsRefused) {
  auto big = [](Tcp::socket socket, int number) -> asio::awaitable<void> {
    std::string kept;
    co_await read_request(socket, kept);
    if (number == 0) {
      co_await write_text(socket, ok(std::string(2000, 'x')));
    } else {
      std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\ny\r\n0\r\n\r\n";
      co_await write_text(socket, std::move(chunked));
    }
  };
  Peer peer(io_, big);
  auto client = client_for(peer.url());
  CallOptions options;
  options.response_limit = 1000;
  for (int i = 0; i < 2; ++i) {
    const auto answer = send(*client, request("GET"), options);
    ASSERT_FALSE(answer) << i;
    EXPECT_EQ(answer.error().code, Code::protocol);
  }
}

TEST_F(HttpClient, ReadsChunkedEmptyAndEndlessAnswers) {
  auto three = [](Tcp::socket socket, int) -> asio::awaitable<void> {
    std::string kept;
    co_await read_request(socket, kept);
    co_await write_text(socket, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    co_await async::sleep_for(milliseconds(5));
    co_await write_text(socket, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    co_await read_request(socket, kept);
    co_await write_text(socket, "HTTP/1.1 204 No Content\r\n\r\n");
    co_await read_request(socket, kept);
    co_await write_text(socket, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nto the end");
  };
  Peer peer(io_, three);
  auto client = client_for(peer.url());
  const auto chunked = send(*client, request("GET"));
  ASSERT_TRUE(chunked);
  EXPECT_EQ(chunked->body, "abcde");
  const auto empty = send(*client, request("GET"));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->status, 204U);
  EXPECT_EQ(empty->body, "");
  const auto endless = send(*client, request("GET"));
  ASSERT_TRUE(endless);
  EXPECT_EQ(endless->body, "to the end");
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(HttpClient, SomethingElseThanHttpIsAProtocolError) {
  auto smtp = [](Tcp::socket socket, int) -> asio::awaitable<void> {
    co_await write_text(socket, "220 mail.example ESMTP\r\n\r\n");
    std::string kept;
    co_await read_request(socket, kept);
  };
  Peer peer(io_, smtp);
  auto client = client_for(peer.url());
  const auto answer = send(*client, request("GET"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::protocol);
}

struct Tally {
  int succeeded = 0;
  int ended = 0;
};

asio::awaitable<void> count_call(Client& client, Request what, CallOptions options, Tally& tally) {
  const auto answer = co_await client.send(std::move(what), options);
  if (answer) ++tally.succeeded;
  ++tally.ended;
}

TEST_F(HttpClient, FurtherCallsWaitForAFreeConnection) {
  auto slow_echo = [](Tcp::socket socket, int) -> asio::awaitable<void> {
    std::string kept;
    for (;;) {
      const std::string got = co_await read_request(socket, kept);
      if (got.empty()) co_return;
      co_await async::sleep_for(milliseconds(20));
      co_await write_text(socket, ok("{}"));
    }
  };
  Peer peer(io_, slow_echo);
  auto client = client_for(peer.url(), 2);
  Tally tally;
  for (int i = 0; i < 10; ++i) {
    asio::co_spawn(io_, count_call(*client, request("GET"), within(milliseconds(5000)), tally), asio::detached);
  }
  while (tally.ended < 10) pause(milliseconds(10));
  EXPECT_EQ(tally.succeeded, 10);
  EXPECT_EQ(peer.connections(), 2);
}

TEST_F(HttpClient, WaitingForAFreeConnectionCountsAgainstTheDeadline) {
  Peer peer(io_, never_answers);
  auto client = client_for(peer.url(), 1);
  Tally tally;
  asio::co_spawn(io_, count_call(*client, request("GET"), within(milliseconds(300)), tally), asio::detached);
  const auto second = send(*client, request("POST"), within(milliseconds(50)));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::unavailable) << "nothing of it was sent";
  while (tally.ended < 1) pause(milliseconds(10));
  Peer answering(io_, echo);
  EXPECT_EQ(tally.succeeded, 0);
}

TEST_F(HttpClient, CancellationClosesTheConnection) {
  bool hung_up = false;
  auto watch = [&hung_up](Tcp::socket socket, int) -> asio::awaitable<void> {
    std::string kept;
    co_await read_request(socket, kept);
    const std::string next = co_await read_request(socket, kept);
    hung_up = next.empty();
  };
  Peer peer(io_, watch);
  auto client = client_for(peer.url());
  std::optional<core::Error> error;
  std::optional<core::Error> after;
  auto task = [&]() -> asio::awaitable<void> {
    Request first = request("PUT");
    const auto answer = co_await client->send(std::move(first), CallOptions());
    if (!answer) error = answer.error();
    Request second = request("PUT");
    const auto next = co_await client->send(std::move(second), CallOptions());
    if (!next) after = next.error();
  };
  async::TaskGroup group(io_.get_executor(), {});
  group.spawn("calls", task);
  pause(milliseconds(50));
  EXPECT_FALSE(error);
  group.cancel_all();
  auto joined = group.join(milliseconds(500));
  EXPECT_TRUE(test::run(io_, std::move(joined)));
  pause(milliseconds(20));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::cancelled);
  EXPECT_THAT(error->why, HasSubstr("was sent"));
  ASSERT_TRUE(after);
  EXPECT_EQ(after->code, Code::cancelled);
  EXPECT_THAT(after->why, HasSubstr("nothing was sent"));
  EXPECT_TRUE(hung_up);
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(HttpClient, TheClientMayGoBeforeItsCalls) {
  Peer peer(io_, never_answers);
  auto client = client_for(peer.url());
  Tally tally;
  asio::co_spawn(io_, count_call(*client, request("GET"), within(milliseconds(60)), tally), asio::detached);
  pause(milliseconds(10));
  client.reset();
  while (tally.ended < 1) pause(milliseconds(10));
  EXPECT_EQ(tally.succeeded, 0);
}

TEST_F(HttpClient, SpeaksOverAUnixSocket) {
  std::string folder = (std::filesystem::temp_directory_path() / "steward-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/main.sock";
  asio::local::stream_protocol::acceptor acceptor(io_, asio::local::stream_protocol::endpoint(path));
  auto serve = [&acceptor]() -> asio::awaitable<void> {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    std::string kept;
    for (int i = 0; i < 2; ++i) {
      const std::string got = co_await read_request(socket, kept);
      co_await write_text(socket, ok(got));
    }
  };
  asio::co_spawn(io_, serve, asio::detached);
  auto client = client_for("unix:" + path);
  for (int i = 0; i < 2; ++i) {
    const auto answer = send(*client, request("GET"));
    ASSERT_TRUE(answer) << core::describe(answer.error());
    EXPECT_THAT(answer->body, HasSubstr("Host: localhost\r\n"));
  }
  std::filesystem::remove_all(folder);
  auto gone = client_for("unix:" + path);
  const auto answer = send(*gone, request("GET"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
}

TEST_F(HttpClient, LineBreaksInTheHeadAreRefused) {
  Peer peer(io_, echo);
  auto client = client_for(peer.url());
  Request bad_header = request("GET");
  bad_header.headers = {{"Authorization", "Bearer x\r\nX-Other: y"}};
  Request bad_name = request("GET");
  bad_name.headers = {{"A: b\r\nC", "d"}};
  for (Request bad : {request("GET", "/a b"), request("GET", "/a\r\nX: y"), request("GET", "a"), request("GE T"), bad_header,
                      bad_name}) {
    const auto answer = send(*client, std::move(bad));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::bad_input);
  }
  EXPECT_EQ(peer.connections(), 0);
}

TEST_F(HttpClient, UrlsThatCannotBeUsedAreRefusedWithoutRepeatingThem) {
  for (const char* url : {"", "hs.example", "ftp://hs.example", "http://", "http://user:hunter2@hs.example", "unix:relative",
                          "http://hs.example/?x=hunter2", "http://hs example"}) {
    ClientOptions options;
    options.base_url = url;
    const auto client = Client::create(io_.get_executor(), options);
    ASSERT_FALSE(client) << url;
    EXPECT_EQ(client.error().code, Code::bad_input);
    EXPECT_THAT(core::describe(client.error()), Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace steward::http
