// Accounts made through registration_shared_secret: `steward setup` needs one server admin for a moment, to make the
// application service's sender one. Used by app (setup, remove). I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/secret.hpp"
#include "http/transport.hpp"

namespace steward::synapse {

struct TemporaryAdmin {
  core::UserId user;
  core::Secret token;
};

// Makes a server admin with a random name and password (POST /_synapse/admin/v1/register, HMAC-SHA1 over the nonce).
// not_allowed: the secret is not this server's, or it has none; not_found: the server uses MAS, which has no such call.
boost::asio::awaitable<core::Result<TemporaryAdmin>> make_temporary_admin(http::Transport& transport,
                                                                         core::Secret shared_secret);

// Deactivates it with its own token, which ends that token too. The locked row stays in `users`, as for every account.
boost::asio::awaitable<core::Result<void>> retire(http::Transport& transport, TemporaryAdmin admin);

}  // namespace steward::synapse
