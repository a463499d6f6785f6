#include "app/setup_identity.hpp"

#include <fmt/format.h>

#include <utility>

#include "http/url.hpp"

namespace steward::app {

using boost::asio::awaitable;
using core::Code;
using core::Result;

namespace {

core::Error owned_by_another(const core::UserId& user, const std::string& owner, const core::UserId& sender) {
  const std::string who = owner.empty() ? "a person" : "the application service " + owner;
  const bool chat = user != sender;
  return core::Error{Code::conflict, fmt::format("{} owns {}", who, user.str()),
                     "the bot must not speak or administer under somebody else's name",
                     chat ? "Choose another name: run setup again with --localpart (or change bot.localpart in a steward.yaml "
                            "that was edited by hand), then restart Synapse, because the registration changes"
                          : "Change sender_localpart in registration.yaml to an unused name and restart Synapse",
                     {}};
}

awaitable<Result<void>> register_both(Homeserver& homeserver) {
  const std::string sender(core::localpart(homeserver.sender));
  const std::string chat(core::localpart(homeserver.chat));
  auto first = co_await homeserver.matrix.register_user(sender);
  if (!first) co_return first;
  co_return co_await homeserver.matrix.register_user(chat);
}

awaitable<Result<void>> introduce(Homeserver& homeserver, std::string display_name) {
  auto device = co_await homeserver.matrix.put_device("synapse-steward");
  if (!device) co_return device;
  if (display_name.empty()) co_return Result<void>();
  co_return co_await homeserver.matrix.set_display_name(std::move(display_name));
}

// The sender becomes a server admin with the right of `token`, but only after both names proved to be ours: the same call
// for a name that a person owns would make that person a server admin.
awaitable<Result<void>> promote(Homeserver& homeserver, core::Secret token, std::string appservice_id) {
  synapse::AdminClient admin = homeserver.as(std::move(token));
  auto ours = co_await check_ownership(admin, homeserver.sender, homeserver.chat, std::move(appservice_id));
  if (!ours) co_return ours;
  auto done = co_await admin.set_admin(homeserver.sender, true);
  if (!done) co_return done;
  co_return co_await homeserver.admin.check_rights();
}

// A bot with a right of its own: it only has to prove that both names are its own.
awaitable<Result<bool>> has_right(Homeserver& homeserver, std::string appservice_id) {
  const auto rights = co_await homeserver.admin.check_rights();
  if (!rights && rights.error().code == Code::not_allowed) co_return false;
  if (!rights) co_return std::unexpected(rights.error());
  const auto ours = co_await check_ownership(homeserver.admin, homeserver.sender, homeserver.chat, std::move(appservice_id));
  if (!ours) co_return std::unexpected(ours.error());
  co_return true;
}

// Promotes through whatever way there is. `said` gets what happened; false: there is none.
awaitable<Result<bool>> gain_right(Homeserver& homeserver, std::string appservice_id, AdminWays ways,
                                   std::vector<std::string>& said) {
  auto found = co_await find_administrator(homeserver, std::move(ways));
  if (!found && found.error().code == Code::not_found) co_return false;
  if (!found) co_return std::unexpected(found.error());
  Administrator administrator = std::move(*found);
  const bool temporary = administrator.temporary.has_value();
  const std::string helper = temporary ? administrator.temporary->user.str() : "";
  auto promoted = co_await promote(homeserver, administrator.token, std::move(appservice_id));
  auto dismissed = co_await dismiss(homeserver, std::move(administrator));
  if (!promoted) co_return std::unexpected(promoted.error());
  said.push_back(fmt::format("{} is a server admin now (made so by {}).", homeserver.sender.str(),
                             temporary ? "the temporary admin " + helper : "the given admin token"));
  if (temporary && dismissed) said.push_back(fmt::format("{} was deactivated again.", helper));
  if (!dismissed) {
    core::Error error = dismissed.error();
    error.next = "Deactivate it by hand: it is a server admin with a password nobody knows";
    co_return std::unexpected(std::move(error));
  }
  co_return true;
}

}  // namespace

awaitable<Result<void>> check_ownership(synapse::AdminClient& admin, core::UserId sender, core::UserId chat,
                                        std::string appservice_id) {
  for (int i = 0; i < 2; ++i) {
    const core::UserId& user = i == 0 ? sender : chat;
    const auto info = co_await admin.user(user);
    if (!info) co_return std::unexpected(info.error());
    if (!info->has_value()) {
      co_return core::fail(Code::not_found, user.str() + " is not registered", "Synapse knows no such user", "Run steward setup");
    }
    if ((*info)->appservice_id != appservice_id) co_return core::fail(owned_by_another(user, (*info)->appservice_id, sender));
    if ((*info)->deactivated) {
      co_return core::fail(Code::conflict, user.str() + " is deactivated", {},
                           "Reactivate it through the admin API, or choose another name");
    }
  }
  co_return Result<void>();
}

awaitable<Result<Administrator>> find_administrator(Homeserver& homeserver, AdminWays ways) {
  Administrator administrator;
  if (!ways.admin_token.empty()) {
    synapse::AdminClient admin = homeserver.as(ways.admin_token);
    const auto rights = co_await admin.check_rights();
    if (!rights) {
      core::Error error = rights.error();
      if (error.code == Code::not_allowed) {
        error.what = "The token of --admin-token-file is not a server admin's";
        error.next = "Give the access token of a user who is a server admin";
      }
      co_return core::fail(std::move(error));
    }
    administrator.token = std::move(ways.admin_token);
    co_return administrator;
  }
  if (ways.shared_secret.empty()) co_return core::fail(Code::not_found, "There is no way to the admin right");
  auto made = co_await synapse::make_temporary_admin(*homeserver.http, std::move(ways.shared_secret));
  if (!made) co_return std::unexpected(made.error());
  administrator.token = made->token;
  administrator.temporary = std::move(*made);
  co_return administrator;
}

awaitable<Result<void>> dismiss(Homeserver& homeserver, Administrator administrator) {
  if (!administrator.temporary) co_return Result<void>();
  co_return co_await synapse::retire(*homeserver.http, std::move(*administrator.temporary));
}

std::vector<std::string> admin_instructions(const config::Config& config, const core::UserId& user, bool mas) {
  if (mas) {
    return {
        "This server uses the Matrix Authentication Service, where an application service can never administer.",
        "Make a token for a user who is an administrator:",
        "  mas-cli manage issue-compatibility-token <user> --yes-i-want-to-grant-synapse-admin-privileges",
        "put it alone into a file of mode 0600, name that file as admin_token_file in steward.yaml, and run setup again.",
    };
  }
  const std::string path = http::target({"_synapse", "admin", "v1", "users", user.str(), "admin"});
  const std::string base = config.homeserver.url.starts_with("unix:") ? "http://localhost" : config.homeserver.url;
  const std::string socket = config.homeserver.url.starts_with("unix:") ? "--unix-socket " + config.homeserver.url.substr(5) + " " : "";
  return {
      fmt::format("{} must become a server admin. One of these:", user.str()),
      "  1. put the access token of a server admin alone into a file (mode 0600; Element shows it under Settings, Help & About)",
      "     and run setup again with --admin-token-file FILE",
      "  2. a server admin runs, with that token in TOKEN:",
      fmt::format("     curl {}-X PUT -H \"Authorization: Bearer $TOKEN\" -d '{{\"admin\": true}}' '{}{}'", socket, base, path),
      "  3. there is no admin yet: set registration_shared_secret in homeserver.yaml, restart Synapse, run setup again with",
      "     --homeserver-yaml PATH, or with --shared-secret-file FILE (the line may be taken out afterwards)",
      "Not by SQL on a running server: Synapse keeps the old answer in its cache.",
  };
}

awaitable<Result<Established>> establish_identities(Homeserver& homeserver, const config::Config& config, AdminWays ways) {
  Established result;
  const std::string id = config.appservice.id;
  const auto registered = co_await register_both(homeserver);
  if (!registered) co_return std::unexpected(registered.error());
  result.lines.push_back(fmt::format("{} and {} are registered.", homeserver.sender.str(), homeserver.chat.str()));
  const auto mas = co_await homeserver.admin.uses_mas();
  if (!mas) co_return std::unexpected(mas.error());
  auto right = co_await has_right(homeserver, id);
  if (!right) co_return std::unexpected(right.error());
  const bool own_token = !config.admin_token.empty();
  if (*right) {
    result.lines.push_back(own_token ? "The admin_token administers." : homeserver.sender.str() + " is a server admin already.");
  } else if (!*mas && !own_token) {
    right = co_await gain_right(homeserver, id, std::move(ways), result.lines);
    if (!right) co_return std::unexpected(right.error());
  }
  if (!*right) {
    result.needs_person = true;
    if (own_token) result.lines.emplace_back("The admin_token of steward.yaml is not a server admin's.");
    for (std::string& line : admin_instructions(config, homeserver.sender, *mas)) result.lines.push_back(std::move(line));
    co_return result;
  }
  const auto introduced = co_await introduce(homeserver, config.bot.display_name);
  if (!introduced) co_return std::unexpected(introduced.error());
  co_return result;
}

}  // namespace steward::app
