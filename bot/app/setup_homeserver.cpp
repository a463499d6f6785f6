#include "app/setup_homeserver.hpp"

#include "http/server.hpp"
#include "http/url.hpp"

namespace steward::app {

namespace {

matrix::ClientOptions matrix_options(const config::Config& config, const core::UserId& chat) {
  matrix::ClientOptions options;
  options.token = config.appservice.as_token;
  options.user = chat;
  options.device_id = std::string(chat_device);
  options.appservice_id = config.appservice.id;
  options.attempts = 2;
  options.first_delay = std::chrono::milliseconds(300);
  return options;
}

synapse::AdminOptions admin_options(const config::Config& config) {
  synapse::AdminOptions options;
  options.own_admin_token = !config.admin_token.empty();
  options.token = options.own_admin_token ? config.admin_token : config.appservice.as_token;
  return options;
}

http::Response answer(unsigned status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

bool may_enter(const http::Request& head, const core::Secret& token) {
  for (const auto& [name, value] : head.headers) {
    const bool authorization = name.size() == 13 && (name[0] == 'A' || name[0] == 'a') && name.substr(1) == "uthorization";
    if (authorization) return core::equal_in_constant_time(value, "Bearer " + token.reveal());
  }
  return false;
}

boost::asio::awaitable<http::Response> answer_ping(http::Request request) {
  const http::ParsedTarget target = http::parse_target(request.target);
  const bool ping = !target.segments.empty() && target.segments.back() == "ping";
  co_return ping ? answer(200, "{}") : answer(503, R"({"errcode":"M_UNKNOWN","error":"the bot does not run yet"})");
}

// The bot's endpoint for a moment, with just enough behind it for a ping.
core::Result<std::unique_ptr<http::Server>> stand_in(boost::asio::any_io_executor io, const config::Config& config) {
  http::ServerOptions options;
  options.address = config.appservice.bind_address;
  options.port = config.appservice.bind_port;
  http::Gate gate = [token = config.appservice.hs_token](const http::Request& head) -> std::optional<http::Response> {
    if (may_enter(head, token)) return std::nullopt;
    return answer(403, R"({"errcode":"M_FORBIDDEN"})");
  };
  return http::Server::listen(io, std::move(options), std::move(gate), &answer_ping);
}

core::UserId user_of(const std::string& localpart, const config::Config& config) {
  return core::UserId("@" + localpart + ":" + config.homeserver.server_name);
}

}  // namespace

Homeserver::Homeserver(std::unique_ptr<http::Client> transport, const config::Config& config)
    : http(std::move(transport)),
      sender(user_of(config.appservice.sender_localpart, config)),
      chat(user_of(config.bot.localpart, config)),
      matrix(*http, matrix_options(config, chat)),
      admin(*http, *http, admin_options(config)) {}

synapse::AdminClient Homeserver::as(core::Secret token) const {
  synapse::AdminOptions options;
  options.token = std::move(token);
  options.own_admin_token = true;
  return synapse::AdminClient(*http, *http, std::move(options));
}

core::Result<std::unique_ptr<Homeserver>> connect_homeserver(boost::asio::any_io_executor io, const config::Config& config) {
  http::ClientOptions options;
  options.base_url = config.homeserver.url;
  options.ca_file = config.homeserver.ca_file;
  options.connect_timeout = std::chrono::seconds(5);
  auto client = http::Client::create(io, std::move(options));
  if (!client) return std::unexpected(client.error());
  return std::make_unique<Homeserver>(std::move(*client), config);
}

boost::asio::awaitable<Reach> prove_reach(boost::asio::any_io_executor io, Homeserver& homeserver, const config::Config& config) {
  Reach reach;
  auto server = stand_in(io, config);
  reach.bot_runs = !server && server.error().code == core::Code::conflict;
  if (!server && !reach.bot_runs) {
    reach.listened = false;
    reach.ping = std::unexpected(server.error());
    co_return reach;
  }
  if (server) (*server)->start();
  reach.ping = co_await homeserver.matrix.ping(core::random_token(16));
  if (server) co_await (*server)->stop(std::chrono::milliseconds(500));
  co_return reach;
}

boost::asio::awaitable<RegistrationState> ask_registration(Homeserver& homeserver) {
  RegistrationState result;
  const auto versions = co_await homeserver.matrix.versions();
  if (!versions) {
    result.error = versions.error();
    result.state = core::is_temporary(result.error) ? Registered::unreachable : Registered::wrong;
    co_return result;
  }
  const auto who = co_await homeserver.matrix.whoami_sender();
  if (who && who->user == homeserver.sender) {
    result.state = Registered::yes;
  } else if (who) {
    result.state = Registered::wrong;
    result.error = core::Error{core::Code::rejected, "Synapse takes the bot for somebody else",
                               who->user.str() + " instead of " + homeserver.sender.str(),
                               "Make homeserver.server_name and the registration agree with this Synapse, then restart it", {}};
  } else {
    result.error = who.error();
    const bool unknown = result.error.source == "M_UNKNOWN_TOKEN" || result.error.source == "M_MISSING_TOKEN";
    result.state = unknown ? Registered::no : core::is_temporary(result.error) ? Registered::unreachable : Registered::wrong;
  }
  co_return result;
}

}  // namespace steward::app
