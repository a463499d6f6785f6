// The application service's registration.yaml: what Synapse reads to know the bot, and the bot its tokens from.
// Every mistake in it stops the whole homeserver (synapse/config/appservice.py), so it is checked before Synapse sees
// it. Used by config::load, `steward setup` and `steward check`. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"

namespace steward::config {

struct Namespace {
  std::string regex;
  bool exclusive = false;
  auto operator<=>(const Namespace&) const = default;
};

struct Registration {
  std::string id;
  std::optional<std::string> url;  // nullopt: null in the file, Synapse sends no events
  core::Secret as_token;
  core::Secret hs_token;
  std::string sender_localpart;
  bool rate_limited = true;  // Synapse's default; exempts the bot's users when false
  bool msc4190 = false;      // devices without log-in: needed on Synapse 1.121 to 1.140, harmless after
  std::vector<Namespace> users, aliases, rooms;
  std::vector<std::string> ip_range_whitelist;  // the as_token is accepted from these only; empty: from everywhere
};

// The two identities of the bot: sender `_steward_as` for the admin API, which never speaks, and the chat user
// @localpart:server_name as the only name of the exclusive namespace. Fresh random tokens.
Registration new_registration(std::string_view localpart, std::string_view server_name, std::string_view url);

// "^@steward:example\.org$": anchored and escaped, because Synapse matches prefixes.
std::string exact_user_regex(std::string_view localpart, std::string_view server_name);

// What would stop Synapse from starting or the bot from working, one sentence each with its line; empty: fine.
// Never repeats a token.
std::vector<std::string> check_registration(std::string_view yaml);

// bad_input with those problems in `why`, one a line.
core::Result<Registration> parse_registration(std::string_view yaml);

// The file, with a comment for each line. parse_registration reads it back as the same.
std::string render_registration(const Registration& registration);

}  // namespace steward::config
