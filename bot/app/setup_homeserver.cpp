#include "app/setup_homeserver.hpp"

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
