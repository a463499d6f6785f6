// The server on loopback: our own client for the everyday, raw sockets for everything a stranger may do.
#include "http/server.hpp"

#include <gmock/gmock.h>

#include <boost/asio/read.hpp>

#include "../support/run.hpp"
#include "async/tasks.hpp"
#include "http/client.hpp"
#include "http_peer.hpp"

namespace steward::http {
namespace {

namespace asio = boost::asio;
using core::Code;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t megabyte = 1U << 20;

class HttpServer : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    auto gate = [this](const Request& head) -> std::optional<Response> {
      EXPECT_TRUE(head.body.empty());
      for (const auto& [name, value] : head.headers) {
        if (name == "Authorization" && value == "Bearer good") return std::nullopt;
      }
      ++refused_;
      Response response;
      response.status = 403;
      response.body = "{}";
      return response;
    };
    auto handler = [this](Request request) { return handle(std::move(request)); };
    auto server = Server::listen(io_.get_executor(), std::move(options), gate, handler);
    ASSERT_TRUE(server) << core::describe(server.error());
    server_ = std::move(*server);
    server_->start();
  }

  asio::awaitable<Response> handle(Request request) {
    ++handled_;
    if (request.target == "/throw") throw std::runtime_error("handler broke");
    if (request.target == "/slow") co_await async::sleep_for(milliseconds(100));
    if (request.target == "/hour") co_await async::sleep_for(std::chrono::hours(1));
    Response response;
    response.status = 200;
    response.body = request.method + " " + request.target + " " + std::to_string(request.body.size());
    co_return response;
  }

  // Sends raw bytes and gives everything that comes until the server closes or `limit` passed.
  std::string raw(std::string bytes, milliseconds limit = std::chrono::seconds(10)) {
    auto talk = exchange(std::move(bytes), limit);
    return test::run(io_, std::move(talk));
  }

  asio::awaitable<std::string> exchange(std::string bytes, milliseconds limit) {
    Tcp::socket socket(io_);
    const Tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server_->port());
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    asio::steady_timer timer(io_, limit);
    timer.async_wait([&socket](const boost::system::error_code& error) {
      if (!error) socket.close();
    });
    const auto start = Clock::now();
    co_await write_text(socket, std::move(bytes));
    std::string answer;
    boost::system::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    auto buffer = asio::dynamic_buffer(answer);
    co_await asio::async_read(socket, buffer, token);
    closed_after_ = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    timer.cancel();
    co_return answer;
  }

  void pause(milliseconds duration) {
    auto sleep = async::sleep_for(duration);
    test::run(io_, std::move(sleep));
  }

  static std::string head(const std::string& line, const std::string& more = "") {
    return line + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n" + more + "\r\n";
  }

  asio::io_context io_{1};
  std::unique_ptr<Server> server_;
  int refused_ = 0;
  int handled_ = 0;
  milliseconds closed_after_{0};
};

TEST_F(HttpServer, AnswersOurClientOverOneConnection) {
  start();
  ClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(server_->port());
  auto client = Client::create(io_.get_executor(), options);
  ASSERT_TRUE(client);
  for (int i = 0; i < 50; ++i) {
    Request request;
    request.method = "PUT";
    request.target = "/t/" + std::to_string(i);
    request.headers = {{"Authorization", "Bearer good"}};
    request.body = std::string(static_cast<std::size_t>(i) * 1000, 'x');
    auto call = (*client)->send(std::move(request), CallOptions());
    const auto answer = test::run(io_, std::move(call));
    ASSERT_TRUE(answer) << core::describe(answer.error());
    EXPECT_EQ(answer->body, "PUT /t/" + std::to_string(i) + " " + std::to_string(i * 1000));
    EXPECT_EQ(answer->header("content-type"), "application/json");
  }
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrder) {
  start();
  std::string bytes;
  for (int i = 0; i < 5; ++i) bytes += head("PUT /" + std::to_string(i), "Content-Length: 3\r\n") + "abc";
  bytes += head("GET /last", "Connection: close\r\n");
  const std::string answer = raw(bytes);
  std::size_t at = 0;
  for (int i = 0; i < 5; ++i) {
    at = answer.find("PUT /" + std::to_string(i) + " 3", at);
    ASSERT_NE(at, std::string::npos) << answer;
  }
  EXPECT_THAT(answer, EndsWith("GET /last 0"));
  EXPECT_EQ(handled_, 6);
}

TEST_F(HttpServer, AcceptsAByteAtATimeAndChunks) {
  start();
  auto slowly = [this]() -> asio::awaitable<std::string> {
    Tcp::socket socket(io_);
    const Tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server_->port());
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    const std::string bytes = head("PUT /x", "Transfer-Encoding: chunked\r\nConnection: close\r\n") + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    for (const char byte : bytes) {
      std::string one(1, byte);
      co_await write_text(socket, std::move(one));
      co_await async::sleep_for(milliseconds(1));
    }
    std::string answer;
    boost::system::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    auto buffer = asio::dynamic_buffer(answer);
    co_await asio::async_read(socket, buffer, token);
    co_return answer;
  };
  auto coroutine = slowly();
  EXPECT_THAT(test::run(io_, std::move(coroutine)), EndsWith("PUT /x 5"));
}

TEST_F(HttpServer, AnswersHttp10AndHeadAndExpect) {
  start();
  EXPECT_THAT(raw("GET /a HTTP/1.0\r\nAuthorization: Bearer good\r\n\r\n"), StartsWith("HTTP/1.0 200 OK\r\n"));
  EXPECT_THAT(raw(head("HEAD /a", "Connection: close\r\n")), EndsWith("Content-Length: 9\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(raw(head("PUT /a", "Expect: 100-continue\r\nContent-Length: 4\r\n"), milliseconds(200)),
              testing::StrEq("HTTP/1.1 100 Continue\r\n\r\n"));
}

TEST_F(HttpServer, TheGateRefusesAHugeBodyBeforeItIsSent) {
  start();
  const std::string answer = raw("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 33554432\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_LT(closed_after_, milliseconds(1000)) << "the client was told by a half-closed connection";
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServer, TheGateRefusesAHugeBodyThatIsSentAllTheSame) {
  start();
  const std::string answer =
      raw("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 33554432\r\n\r\n" + std::string(32 * megabyte, 'x'));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_LT(closed_after_, milliseconds(1000));
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServer, ARefusedConnectionThatNeverClosesIsCut) {
  start();
  auto stay = [this]() -> asio::awaitable<milliseconds> {
    Tcp::socket socket(io_);
    const Tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server_->port());
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    co_await write_text(socket, "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 33554432\r\n\r\n");
    const auto begin = Clock::now();
    for (;;) {
      boost::system::error_code error;
      auto token = asio::redirect_error(asio::use_awaitable, error);
      const std::string text = "x";
      const auto bytes = asio::buffer(text);
      co_await asio::async_write(socket, bytes, token);
      if (error) break;
      co_await async::sleep_for(milliseconds(20));
    }
    co_return std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  };
  auto coroutine = stay();
  EXPECT_LT(test::run(io_, std::move(coroutine)), milliseconds(3000));
}

TEST_F(HttpServer, HeadersOverTheLimitGet431) {
  start();
  const std::string answer = raw("GET /x HTTP/1.1\r\nX: " + std::string(20000, 'y') + "\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
  const std::string long_target = raw("GET /" + std::string(20000, 'y') + " HTTP/1.1\r\n\r\n");
  EXPECT_THAT(long_target, StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(refused_, 0);
}

TEST_F(HttpServer, ABodyAtTheLimitIsTakenAndOneOverItGets413) {
  start();
  const std::string good = raw(head("PUT /x", "Connection: close\r\nContent-Length: 33554432\r\n") + std::string(32 * megabyte, 'x'));
  EXPECT_THAT(good, EndsWith("PUT /x 33554432"));
  const std::string over = raw(head("PUT /x", "Content-Length: 33554433\r\n") + std::string(32 * megabyte + 1, 'x'));
  EXPECT_THAT(over, StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(handled_, 1);
}

TEST_F(HttpServer, AChunkedBodyOverTheLimitGets413) {
  ServerOptions options;
  options.body_limit = 1000;
  start(options);
  const std::string answer = raw(head("PUT /x", "Transfer-Encoding: chunked\r\n") + "3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServer, WhatIsNotHttpGets400) {
  start();
  EXPECT_THAT(raw("\x16\x03\x01\x02hello there, this is TLS\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(raw("GET /\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(raw(head("PUT /x", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServer, ASlowRequestIsCutByTheReadDeadline) {
  ServerOptions options;
  options.read_deadline = milliseconds(200);
  start(options);
  auto trickle = [this]() -> asio::awaitable<milliseconds> {
    Tcp::socket socket(io_);
    const Tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server_->port());
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    const auto begin = Clock::now();
    co_await write_text(socket, "PUT /x HTTP/1.1\r\nX: ");
    for (int i = 0; i < 500; ++i) {
      boost::system::error_code error;
      auto token = asio::redirect_error(asio::use_awaitable, error);
      const std::string text = "y";
      const auto bytes = asio::buffer(text);
      co_await asio::async_write(socket, bytes, token);
      if (error) break;
      co_await async::sleep_for(milliseconds(10));
    }
    co_return std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  };
  auto coroutine = trickle();
  const milliseconds lasted = test::run(io_, std::move(coroutine));
  EXPECT_GE(lasted, milliseconds(180));
  EXPECT_LT(lasted, milliseconds(1500));
}

TEST_F(HttpServer, SilentAndIdleConnectionsAreClosed) {
  ServerOptions options;
  options.read_deadline = milliseconds(200);
  options.idle_deadline = milliseconds(1200);
  start(options);
  EXPECT_EQ(raw(""), "");
  EXPECT_LT(closed_after_, milliseconds(1100));
  EXPECT_THAT(raw(head("GET /x")), EndsWith("GET /x 0"));
  EXPECT_GE(closed_after_, milliseconds(1150));
}

TEST_F(HttpServer, AHandlerThatThrowsIsA500AndTheNextRequestIsServed) {
  start();
  const std::string answer = raw(head("GET /throw") + head("GET /after", "Connection: close\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, testing::Not(HasSubstr("handler broke")));
  EXPECT_THAT(answer, EndsWith("GET /after 0"));
}

asio::awaitable<void> talk_and_count(asio::awaitable<std::string> talk, int& answered) {
  const std::string answer = co_await std::move(talk);
  if (!answer.empty()) ++answered;
}

TEST_F(HttpServer, FurtherConnectionsWaitTheirTurn) {
  ServerOptions options;
  options.max_connections = 2;
  start(options);
  int answered = 0;
  const auto begin = Clock::now();
  for (int i = 0; i < 6; ++i) {
    auto talk = exchange(head("GET /slow", "Connection: close\r\n"), std::chrono::seconds(5));
    asio::co_spawn(io_, talk_and_count(std::move(talk), answered), asio::detached);
  }
  while (answered < 6 && Clock::now() - begin < std::chrono::seconds(5)) pause(milliseconds(10));
  EXPECT_EQ(answered, 6);
  EXPECT_GE(Clock::now() - begin, milliseconds(290));
}

TEST_F(HttpServer, StopLetsARequestUnderWayFinish) {
  start();
  int answered = 0;
  auto talk = exchange(head("GET /slow"), std::chrono::seconds(5));
  asio::co_spawn(io_, talk_and_count(std::move(talk), answered), asio::detached);
  pause(milliseconds(30));
  EXPECT_EQ(handled_, 1);
  auto stop = server_->stop(std::chrono::seconds(5));
  test::run(io_, std::move(stop));
  pause(milliseconds(20));
  EXPECT_EQ(answered, 1);
}

TEST_F(HttpServer, StopCutsWhatDoesNotFinish) {
  start();
  int answered = 0;
  auto talk = exchange(head("GET /hour"), std::chrono::seconds(5));
  asio::co_spawn(io_, talk_and_count(std::move(talk), answered), asio::detached);
  pause(milliseconds(30));
  const auto begin = Clock::now();
  auto stop = server_->stop(milliseconds(100));
  test::run(io_, std::move(stop));
  EXPECT_LT(Clock::now() - begin, milliseconds(1000));
  EXPECT_EQ(answered, 0);
}

TEST_F(HttpServer, ThePortOfAnotherProgramIsAConflict) {
  start();
  ServerOptions options;
  options.port = server_->port();
  auto second = Server::listen(io_.get_executor(), options, {}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::conflict);
  options.address = "not-an-address";
  auto third = Server::listen(io_.get_executor(), options, {}, {});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::bad_input);
}

}  // namespace
}  // namespace steward::http
