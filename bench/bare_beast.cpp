// The yardstick: Beast's own types used as its examples do, one thread, parse the body, answer `{}`. No token, no limits,
// no deadlines, nothing stored. Usage: bench_bare_beast PORT
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/src.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

static asio::awaitable<void> serve(tcp::socket socket) {
  boost::beast::flat_buffer buffer;
  boost::system::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(32U << 20);
    co_await http::async_read(socket, buffer, parser, token);
    if (error) co_return;
    const auto body = nlohmann::json::parse(parser.get().body(), nullptr, false);
    http::response<http::string_body> answer(body.is_object() ? http::status::ok : http::status::bad_request, 11);
    answer.set(http::field::content_type, "application/json");
    answer.keep_alive(parser.get().keep_alive());
    answer.body() = "{}";
    answer.prepare_payload();
    co_await http::async_write(socket, answer, token);
    if (error || !answer.keep_alive()) co_return;
  }
}

static asio::awaitable<void> accept(tcp::acceptor& acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
  }
}

int main(int, char** arguments) {
  asio::io_context io(1);
  const auto port = static_cast<std::uint16_t>(std::stoul(arguments[1]));
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), port));
  asio::co_spawn(io, accept(acceptor), asio::detached);
  io.run();
}
