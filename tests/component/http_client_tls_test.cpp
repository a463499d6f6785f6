// TLS of the client against a self-signed certificate made by the openssl command.
#include <gmock/gmock.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstdlib>
#include <filesystem>

#include "../support/run.hpp"
#include "http/client.hpp"
#include "http_peer.hpp"

namespace steward::http {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using core::Code;
using testing::HasSubstr;

class HttpClientTls : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    make_certificate("good", "subjectAltName=IP:127.0.0.1,DNS:localhost");
    make_certificate("other", "subjectAltName=DNS:other.example");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void make_certificate(const std::string& name, const std::string& names) {
    const std::string command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test" +
                                std::string(" -addext ") + names + " -keyout " + path(name + ".key") + " -out " +
                                path(name + ".pem") + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  Peer::Play tls_echo(const std::string& name) {
    context_.use_certificate_file(path(name + ".pem"), ssl::context::pem);
    context_.use_private_key_file(path(name + ".key"), ssl::context::pem);
    return [this](Tcp::socket socket, int) { return serve(std::move(socket)); };
  }

  asio::awaitable<void> serve(Tcp::socket socket) {
    ssl::stream<Tcp::socket> stream(std::move(socket), context_);
    boost::system::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await stream.async_handshake(ssl::stream_base::server, token);
    std::string kept;
    while (!error) {
      const std::string request = co_await read_request(stream, kept);
      if (request.empty()) co_return;
      ++requests_;
      co_await write_text(stream, ok(request));
    }
  }

  core::Result<Response> get(Peer& peer, const std::string& host, const std::string& ca_file, int times = 1) {
    ClientOptions options;
    options.base_url = "https://" + host + ":" + std::to_string(peer.port());
    options.ca_file = ca_file;
    auto client = Client::create(io_.get_executor(), std::move(options));
    if (!client) return core::fail(client.error());
    core::Result<Response> answer;
    for (int i = 0; i < times; ++i) {
      Request request;
      request.method = "PUT";
      request.target = "/a";
      request.body = std::string(100000, 'b');
      auto call = (*client)->send(std::move(request), CallOptions());
      answer = test::run(io_, std::move(call));
    }
    return answer;
  }

  std::string folder_ = (std::filesystem::temp_directory_path() / "steward-tls-XXXXXX").string();
  asio::io_context io_{1};
  ssl::context context_{ssl::context::tls_server};
  int requests_ = 0;
};

TEST_F(HttpClientTls, ASelfSignedCertificateIsRefused) {
  Peer peer(io_, tls_echo("good"));
  const auto answer = get(peer, "127.0.0.1", "");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
  EXPECT_THAT(answer.error().why, HasSubstr("certificate was refused"));
  EXPECT_EQ(requests_, 0);
}

TEST_F(HttpClientTls, ItIsAcceptedWithTheCaFileAndTheConnectionIsKept) {
  Peer peer(io_, tls_echo("good"));
  const auto answer = get(peer, "127.0.0.1", path("good.pem"), 3);
  ASSERT_TRUE(answer) << core::describe(answer.error());
  EXPECT_THAT(answer->body, HasSubstr(std::string(100000, 'b')));
  EXPECT_EQ(requests_, 3);
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(HttpClientTls, TheNameIsVerified) {
  Peer peer(io_, tls_echo("other"));
  const auto answer = get(peer, "localhost", path("other.pem"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
  EXPECT_EQ(requests_, 0);
}

TEST_F(HttpClientTls, AMissingCaFileIsSaidAtOnce) {
  Peer peer(io_, tls_echo("good"));
  const auto answer = get(peer, "localhost", path("missing.pem"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::bad_input);
}

TEST_F(HttpClientTls, APlainServerBehindHttpsIsUnavailable) {
  auto plain = [](Tcp::socket socket, int) -> asio::awaitable<void> {
    co_await write_text(socket, "HTTP/1.1 400 Bad Request\r\n\r\n");
  };
  Peer peer(io_, plain);
  const auto answer = get(peer, "127.0.0.1", "");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
  EXPECT_THAT(answer.error().why, HasSubstr("handshake"));
}

}  // namespace
}  // namespace steward::http
