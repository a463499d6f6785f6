// Stage 2 of setup: both users exist and are ours, and the sender (or the admin_token) may administer. Every step can be
// repeated. Facts: synapse-admin-api §2. Used by setup and remove. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/setup_homeserver.hpp"
#include "config/config.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"
#include "synapse/shared_secret.hpp"

namespace steward::app {

// What may lend us an admin's right for a moment; both may be empty.
struct AdminWays {
  core::Secret admin_token;
  core::Secret shared_secret;
};

// A server admin who is not the sender. `temporary` is to be retired when done.
struct Administrator {
  core::Secret token;
  std::optional<synapse::TemporaryAdmin> temporary;
};
// not_allowed: the token is no admin's, the secret is not this server's; not_found: neither is there.
boost::asio::awaitable<core::Result<Administrator>> find_administrator(Homeserver& homeserver, AdminWays ways);
boost::asio::awaitable<core::Result<void>> dismiss(Homeserver& homeserver, Administrator administrator);

struct Established {
  std::vector<std::string> lines;  // what was done, one sentence each
  bool needs_person = false;       // no way to the admin right; `lines` ends with what to do
};
// conflict: a person owns one of the names, and nothing was changed for it.
boost::asio::awaitable<core::Result<Established>> establish_identities(Homeserver& homeserver, const config::Config& config,
                                                                       AdminWays ways);

// What a person can do to make `user` a server admin, as lines to print.
std::vector<std::string> admin_instructions(const config::Config& config, const core::UserId& user, bool mas);

// That both users exist and belong to our registration, as `admin` sees them: conflict when somebody else owns one of
// them or one is deactivated, not_found when one is not registered. Also to be asked before the running bot invites
// anybody: a name that a person owns must not speak for the bot.
boost::asio::awaitable<core::Result<void>> check_ownership(synapse::AdminClient& admin, core::UserId sender, core::UserId chat,
                                                           std::string appservice_id);

}  // namespace steward::app
