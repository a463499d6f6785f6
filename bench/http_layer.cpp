// Our HTTP layer alone, doing what bare_beast.cpp does behind the real server's gate, limits and deadlines: tells whether a
// gap between the bot and the yardstick lies in the layer or above it. Usage: bench_http_layer PORT TOKEN
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/secret.hpp"
#include "http/server.hpp"

using namespace steward;

static boost::asio::awaitable<http::Response> handle(http::Request request) {
  const auto body = nlohmann::json::parse(request.body, nullptr, false);
  http::Response response;
  response.status = body.is_object() ? 200 : 400;
  response.body = "{}";
  co_return response;
}

int main(int, char** arguments) {
  boost::asio::io_context io(1);
  const std::string expected = std::string("Bearer ") + arguments[2];
  http::ServerOptions options;
  options.port = static_cast<std::uint16_t>(std::stoul(arguments[1]));
  auto gate = [expected](const http::Request& head) -> std::optional<http::Response> {
    for (const auto& [name, value] : head.headers) {
      if (name == "Authorization" && core::equal_in_constant_time(value, expected)) return std::nullopt;
    }
    http::Response response;
    response.status = 403;
    return response;
  };
  auto server = http::Server::listen(io.get_executor(), options, gate, handle);
  if (!server) {
    std::fprintf(stderr, "%s\n", core::describe(server.error()).c_str());
    return 1;
  }
  (*server)->start();
  io.run();
}
