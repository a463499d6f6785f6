#include "config/checks.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.hpp"

namespace steward::config {
namespace {

constexpr std::size_t longest_socket_path = 107;  // sockaddr_un::sun_path less its end

bool only(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

bool read_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

bool is_address(int family, const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

// The user that a namespace stands for when it names exactly one ("^@steward:hs\.test$"), else empty.
std::string only_user_of(std::string_view regex) {
  if (regex.starts_with('^')) regex.remove_prefix(1);
  if (regex.ends_with('$')) regex.remove_suffix(1);
  std::string user;
  for (std::size_t at = 0; at < regex.size(); ++at) {
    if (regex[at] == '\\' && at + 1 < regex.size() &&
        !only(regex.substr(at + 1, 1), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")) {
      ++at;
    } else if (!only(regex.substr(at, 1), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@:_=/-")) {
      return {};
    }
    user += regex[at];
  }
  return user;
}

std::string check_names(const Config& config, const Registration& registration) {
  const std::string chat_user = fmt::format("@{}:{}", config.bot.localpart, config.homeserver.server_name);
  if (registration.sender_localpart == config.bot.localpart) {
    return fmt::format(
        "appservice.registration: its sender_localpart is the chat user {}; give the sender a name of its own",
        chat_user);
  }
  if (registration.users.empty()) {
    return fmt::format("appservice.registration: its namespaces hold no user; {} belongs there", chat_user);
  }
  const bool may_fit = std::any_of(registration.users.begin(), registration.users.end(), [&](const Namespace& space) {
    const std::string user = only_user_of(space.regex);
    return user.empty() || user == chat_user;
  });
  if (may_fit) return {};
  return fmt::format("appservice.registration: its namespaces name {}, the settings say {}",
                     core::echo_word(only_user_of(registration.users.front().regex)), chat_user);
}

}  // namespace

std::string check_url(const std::string& text) {
  if (text.starts_with("unix:")) {  // a listener with a path instead of a port
    const std::string path = text.substr(5);
    if (path.starts_with('/') && path.size() <= longest_socket_path) return {};
    return fmt::format("expected unix: and an absolute path of at most {} bytes, for example unix:/run/synapse/main.sock", longest_socket_path);
  }
  const std::string_view scheme = text.starts_with("https://") ? "https://" : "http://";
  constexpr std::string_view expected = "expected \"https://host\", \"http://host:port\" or \"unix:/path\"";
  if (!text.starts_with(scheme)) return std::string(expected);
  const std::string_view rest = std::string_view(text).substr(scheme.size());
  if (rest.find('@') != std::string_view::npos) return "must not hold a user or a password";
  if (rest.find_first_of("?# \t") != std::string_view::npos) return std::string(expected) + ", with nothing behind it";
  if (!core::is_server_name(rest.substr(0, rest.find('/')))) return std::string(expected);
  return {};
}

bool is_web_address(std::string_view word) { return word.starts_with("http://") || word.starts_with("https://"); }

std::string check_fallback(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  const std::string& first = words.front();
  if (is_web_address(first)) return words.size() == 1 ? std::string() : "a webhook takes no arguments";
  if (!first.starts_with('/')) return "expected one http(s) URL, or the absolute path of a program and its arguments";
  return access(first.c_str(), X_OK) == 0 ? std::string() : fmt::format("cannot run {}", first);
}

std::string check_server_name(const std::string& text) {
  if (core::is_server_name(text)) return {};
  return fmt::format("{} is not a server name; expected the part behind the colon of your user ids, like example.org",
                     core::echo_word(text));
}

std::string check_readable_file(const std::string& path) {
  return access(path.c_str(), R_OK) == 0 ? std::string() : fmt::format("cannot read {}", path);
}

std::string check_connection_string(const std::string& text) {
  if (text.starts_with("postgresql://") || text.starts_with("postgres://") || text.find('=') != std::string::npos)
    return {};
  return "expected \"postgresql://user:password@host/database\" or \"host=… dbname=…\"";
}

std::string check_schema(const std::string& text) {
  const bool plain = only(text, "abcdefghijklmnopqrstuvwxyz0123456789_") && !only(text.substr(0, 1), "0123456789");
  if (text.empty() || !plain || text.size() > 63) return "expected a name of small letters, digits and _";
  if (text == "public" || text == "information_schema" || text.starts_with("pg_")) {
    return fmt::format("{} belongs to Synapse or PostgreSQL; the bot needs a schema of its own", core::echo_word(text));
  }
  return {};
}

std::string check_localpart(const std::string& text) {
  if (!text.empty() && text.size() <= 200 && only(text, "abcdefghijklmnopqrstuvwxyz0123456789._=-/+")) return {};
  return fmt::format("{} is not a localpart; expected small letters, digits and . _ = - / +, without @ and server",
                     core::echo_word(text));
}

std::string check_socket_path(const std::string& path) {
  if (path.size() <= longest_socket_path) return {};
  return fmt::format("a socket's path may have {} bytes, this one has {}", longest_socket_path, path.size());
}

std::string check_room(const std::string& text) {
  if (core::parse_room_id(text)) return {};
  return fmt::format("{} is not a room id; expected \"!…\"", core::echo_word(text));
}

std::string check_room_or_alias(const std::string& text) {
  if (core::parse_room_id(text) || core::parse_room_alias(text)) return {};
  return fmt::format("{} is neither a room id (\"!…\") nor an alias (\"#name:server\")", core::echo_word(text));
}

std::string check_token(const std::string& text) {
  const bool fine = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return fine ? std::string() : "holds a blank or a character beyond ASCII";
}

std::string read_bind(const std::string& text, std::string& address, std::uint16_t& port) {
  constexpr std::string_view expected = "expected an address and a port, \"127.0.0.1:29340\" or \"[::1]:29340\"";
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || !read_port(std::string_view(text).substr(colon + 1), port))
    return std::string(expected);
  const std::string host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  address = bracketed ? host.substr(1, host.size() - 2) : host;
  if (is_address(bracketed ? AF_INET6 : AF_INET, address)) return {};
  return fmt::format("{} is not an address; {}", core::echo_word(host), expected);
}

std::string read_users(const std::vector<std::string>& texts, std::vector<core::UserId>& users) {
  users.clear();
  std::vector<std::string> wrong;
  for (const std::string& text : texts) {
    const auto user = core::parse_user_id(text);
    if (!user) {
      wrong.push_back(core::echo_word(text));
    } else if (std::find(users.begin(), users.end(), *user) == users.end()) {
      users.push_back(*user);
    }
  }
  if (wrong.empty()) return {};
  return fmt::format("{} is not a user id; expected \"@name:server\"", core::join(wrong, ", "));
}

std::vector<std::string> check_together(const Config& config, const Registration* registration) {
  std::vector<std::string> problems;
  for (const core::UserId& admin : config.room.admins) {
    const auto& remote = config.room.remote_allowed;
    const bool allowed = std::find(remote.begin(), remote.end(), admin) != remote.end();
    if (!config.homeserver.server_name.empty() && core::server_of(admin) != config.homeserver.server_name && !allowed) {
      problems.push_back(
          fmt::format("room.admins: {} is not a user of {}; name them under room.remote_allowed too if that is meant",
                      core::echo_word(admin.str()), config.homeserver.server_name));
    }
    if (core::localpart(admin) == config.bot.localpart && core::server_of(admin) == config.homeserver.server_name) {
      problems.emplace_back("room.admins: the bot itself cannot be an admin");
    }
  }
  if (registration != nullptr && !config.homeserver.server_name.empty()) {
    if (auto problem = check_names(config, *registration); !problem.empty()) problems.push_back(std::move(problem));
  }
  const std::string& metrics = config.metrics.address;
  if (!metrics.empty() && !metrics.starts_with("127.") && metrics != "::1" && config.metrics.token.empty())
    problems.push_back(fmt::format("metrics.bind: {} is open to others; set metrics.token_file, or bind to 127.0.0.1", metrics));
  return problems;
}

}  // namespace steward::config
