#include "app/setup_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "app/setup_files.hpp"
#include "config/yaml.hpp"
#include "core/text.hpp"

namespace steward::app {

namespace fs = std::filesystem;
using core::Code;

namespace {

constexpr std::string_view checksum_mark = "# checksum: ";

std::string absolute_path(const std::string& path) { return fs::absolute(path).lexically_normal().string(); }

void collect(const YAML::Node& node, const std::string& prefix, PresentConfig& into) {
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) continue;
    const std::string key = prefix.empty() ? pair.first.Scalar() : prefix + "." + pair.first.Scalar();
    if (pair.second.IsMap()) {
      collect(pair.second, key, into);
    } else if (pair.second.IsScalar()) {
      into.values[key] = pair.second.Scalar();
    } else if (key == "room.admins" && pair.second.IsSequence()) {
      for (const auto& admin : pair.second) {
        if (admin.IsScalar()) into.admins.push_back(admin.Scalar());
      }
    }
  }
}

// One decision after the other, with what has to be said about each.
class Chooser {
 public:
  Chooser(const PresentConfig& present, SetupPlan& plan) : present_(present), plan_(plan) {}

  // The value of `key`. A hand-edited file wins over everything, else flag, present value, derived value, default.
  std::string choose(const std::string& key, std::string_view flag_name, const std::string& flag, const std::string& derived,
                     const std::string& otherwise = {}, bool secret = false) {
    const auto there = present_.values.find(key);
    const bool has = there != present_.values.end() && !there->second.empty();
    if (present_.edited) {
      if (has && !flag.empty() && flag != there->second) {
        plan_.notes.push_back(fmt::format("steward.yaml was edited by hand and keeps its own {}: {} was not applied", key, flag_name));
      }
      if (has) return there->second;
      const std::string wanted = flag.empty() ? derived : flag;
      if (!wanted.empty() && !present_.values.contains(key + "_file")) {
        plan_.missing.push_back(fmt::format("{}: {}", key, secret ? "(secret; the flag --print shows it)" : yaml_quoted(wanted)));
      }
      return wanted.empty() ? otherwise : wanted;
    }
    if (!flag.empty()) return flag;
    if (has) return there->second;
    return derived.empty() ? otherwise : derived;
  }

 private:
  const PresentConfig& present_;
  SetupPlan& plan_;
};

bool split_bind(const std::string& bind, std::string& host, std::string& port) {
  const std::size_t colon = bind.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  host = bind.substr(0, colon);
  port = bind.substr(colon + 1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0 || number > 65535) return false;
  return host.find(':') == std::string::npos || (host.front() == '[' && host.back() == ']');
}

void choose_paths(const SetupOptions& options, const PresentConfig& present, SetupPlan& plan, Chooser& chooser) {
  plan.config_path = absolute_path(options.config);
  const fs::path folder = fs::path(plan.config_path).parent_path();
  const auto from_folder = [&folder](const std::string& path) { return (folder / path).lexically_normal().string(); };
  const auto flag = [](const std::string& path) { return path.empty() ? path : absolute_path(path); };
  const auto beside = [&](const std::string& key, std::string_view name, const std::string& given, const std::string& otherwise) {
    return from_folder(chooser.choose(key, name, flag(given), {}, otherwise));
  };
  plan.registration_path = beside("appservice.registration", "--registration", options.registration, "registration.yaml");
  plan.state_directory = beside("bot.state_directory", "--state-directory", options.state_directory, "state");
  plan.registration_path_in_synapse = options.registration_path_in_synapse.empty() ? plan.registration_path
                                                                                    : options.registration_path_in_synapse;
  plan.ca_file = chooser.choose("homeserver.ca_file", "--ca-file", flag(options.ca_file), {});
  const auto token = present.values.find("admin_token_file");
  if (token != present.values.end()) plan.admin_token_file = token->second;
}

void choose_addresses(const SetupOptions& options, const HomeserverYaml* yaml, const PresentConfig& present, SetupPlan& plan,
                      Chooser& chooser, std::vector<std::string>& problems) {
  const std::string derived = yaml != nullptr && !yaml->client_urls.empty() ? yaml->client_urls.front() : "";
  plan.synapse_url = chooser.choose("homeserver.url", "--synapse-url", options.synapse_url, derived);
  if (plan.synapse_url.empty()) {
    problems.emplace_back(yaml == nullptr ? "--synapse-url is missing: where the bot reaches Synapse, for example http://127.0.0.1:8008"
                                          : "homeserver.yaml has no listener with the resource `client`: give --synapse-url");
  } else if (plan.synapse_url == derived && derived.starts_with("https:") && !present.exists) {
    plan.notes.emplace_back(
        "Synapse serves clients over TLS only; its certificate must be valid for that address (else give --synapse-url "
        "with the public name, and --ca-file for an authority of your own)");
  }
  plan.bind = chooser.choose("appservice.bind", "--bind", options.bind, {}, "127.0.0.1:29340");
  std::string host, port;
  if (!split_bind(plan.bind, host, port)) {
    problems.push_back(fmt::format("--bind: {} is not address:port, for example 127.0.0.1:29340 or [::1]:29340", core::echo_word(plan.bind)));
    return;
  }
  plan.bot_url = options.bot_url;
  if (!plan.bot_url.empty()) {
    if (!plan.bot_url.starts_with("http://") && !plan.bot_url.starts_with("https://")) {
      problems.push_back(fmt::format("--bot-url: {} is not an http or https address", core::echo_word(plan.bot_url)));
    }
    return;
  }
  if (host == "0.0.0.0" || host == "[::]") {
    plan.notes.push_back(fmt::format("the bot listens on all addresses; Synapse is told to reach it at 127.0.0.1. If Synapse "
                                     "runs elsewhere, give --bot-url, for example http://steward:{}", port));
    host = host == "[::]" ? "[::1]" : "127.0.0.1";
  }
  plan.bot_url = "http://" + host + ":" + port;
}

void choose_names(const SetupOptions& options, const PresentConfig& present, const HomeserverYaml* yaml, SetupPlan& plan,
                  Chooser& chooser, std::vector<std::string>& problems) {
  plan.server_name = chooser.choose("homeserver.server_name", "--server-name", options.server_name,
                                    yaml == nullptr ? "" : yaml->server_name);
  if (plan.server_name.empty()) {
    problems.emplace_back("--server-name is missing: the part behind the colon in @you:example.org");
  } else if (!core::is_server_name(plan.server_name)) {
    problems.push_back(fmt::format("--server-name: {} is no server name", core::echo_word(plan.server_name)));
  }
  plan.localpart = chooser.choose("bot.localpart", "--localpart", options.localpart, {}, "steward");
  if (plan.localpart.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._=/+-") != std::string::npos) {
    problems.push_back(fmt::format("--localpart: {} may hold a-z, 0-9 and . _ = / + - only", core::echo_word(plan.localpart)));
  }
  plan.admins = present.edited || options.admins.empty() ? present.admins : options.admins;
  if (present.edited && plan.admins.empty()) {
    plan.missing.emplace_back("room.admins: [\"@you:" + plan.server_name + "\"]");
  } else if (plan.admins.empty()) {
    problems.push_back(fmt::format("--admin is missing: who may command the bot, for example --admin @you:{}", plan.server_name));
  }
  for (const std::string& admin : plan.admins) {
    const auto parsed = core::parse_user_id(admin);
    if (!parsed) {
      problems.push_back(fmt::format("--admin: {} is no user id like @you:{}", core::echo_word(admin), plan.server_name));
    } else if (core::server_of(*parsed) != plan.server_name) {
      plan.notes.push_back(fmt::format("{} is not of this server; list it under room.remote_allowed too, or it cannot command", admin));
    } else if (core::localpart(*parsed) == plan.localpart) {
      problems.push_back(fmt::format("--admin: {} is the bot itself; give your own user, or another --localpart", admin));
    }
  }
}

void choose_database(const SetupOptions& options, const HomeserverYaml* yaml, SetupPlan& plan, Chooser& chooser) {
  const bool skip = options.no_database;
  const std::string derived = yaml == nullptr || skip ? "" : yaml->database.reveal();
  plan.database = core::Secret(skip ? "" : chooser.choose("database.synapse", "--database", options.database, derived, {}, true));
  plan.store_database =
      core::Secret(chooser.choose("database.store", "--store-database", options.store_database, {}, {}, true));
}

std::string body_of_config(const SetupPlan& plan) {
  std::string text;
  const auto line = [&text](std::string_view key, const std::string& value, std::string_view comment = {}) {
    if (value.empty()) return;
    text += fmt::format("  {}: {}{}{}\n", key, yaml_quoted(value), comment.empty() ? "" : "  # ", comment);
  };
  text += "homeserver:\n";
  line("url", plan.synapse_url, "where the bot reaches Synapse itself, not the public address behind a proxy");
  line("server_name", plan.server_name);
  line("ca_file", plan.ca_file);
  text += "appservice:\n";
  line("registration", plan.registration_path, "Synapse reads the same file");
  line("bind", plan.bind, "where Synapse reaches the bot");
  if (!plan.admin_token_file.empty()) {
    text += fmt::format("admin_token_file: {}  # the token of a server admin: with MAS the bot's own cannot administer\n",
                        yaml_quoted(plan.admin_token_file));
  }
  if (!plan.database.empty() || !plan.store_database.empty()) text += "database:\n";
  line("synapse", plan.database.reveal(), "Synapse's own database: counts, dry runs, leftovers");
  line("store", plan.store_database.reveal(), "the bot's memory");
  text += "bot:\n";
  line("localpart", plan.localpart);
  line("state_directory", plan.state_directory);
  text += "room:\n  admins:  # who may command everything; others get less by !allow\n";
  for (const std::string& admin : plan.admins) text += "    - " + yaml_quoted(admin) + "\n";
  return text;
}

}  // namespace

core::Result<PresentConfig> read_present_config(const std::string& path) {
  PresentConfig present;
  auto text = read_text(path);
  if (!text && text.error().code == Code::not_found) return present;
  if (!text) return std::unexpected(text.error());
  present.exists = true;
  present.edited = edited_by_hand(*text);
  const auto root = config::read_yaml(*text);
  if (!root) return core::fail(Code::bad_input, "Cannot understand " + path, core::describe(root.error()), "Mend that line");
  if (root->IsMap()) collect(*root, "", present);
  return present;
}

core::Result<SetupPlan> make_plan(const SetupOptions& options, const PresentConfig& present, const HomeserverYaml* yaml) {
  SetupPlan plan;
  Chooser chooser(present, plan);
  std::vector<std::string> problems;
  choose_paths(options, present, plan, chooser);
  choose_names(options, present, yaml, plan, chooser, problems);
  choose_addresses(options, yaml, present, plan, chooser, problems);
  choose_database(options, yaml, plan, chooser);
  if (yaml != nullptr && yaml->mas && !options.admin_token_file.empty() && plan.admin_token_file.empty()) {
    plan.admin_token_file = absolute_path(options.admin_token_file);
  }
  plan.allow_from = options.allow_from.empty() ? loopback_ranges(plan.synapse_url) : options.allow_from;
  if (!problems.empty()) {
    return core::fail(Code::bad_input, "Set-up needs more", "\n  " + core::join(problems, "\n  "));
  }
  return plan;
}

std::string render_config(const SetupPlan& plan) {
  const std::string body = body_of_config(plan);
  std::string head = "# Written by `steward setup`. All keys with their meaning: steward.example.yaml.\n";
  head += "# Edit freely: setup then leaves this file alone and only says what it lacks.\n";
  return head + fmt::format("{}{}\n", checksum_mark, core::sha256_hex(body)) + body;
}

bool edited_by_hand(const std::string& text) {
  const std::size_t mark = text.find(checksum_mark);
  if (mark == std::string::npos) return true;
  const std::size_t end = text.find('\n', mark);
  if (end == std::string::npos) return true;
  const std::string written = text.substr(mark + checksum_mark.size(), end - mark - checksum_mark.size());
  return written != core::sha256_hex(std::string_view(text).substr(end + 1));
}

std::vector<std::string> loopback_ranges(const std::string& url) {
  // Over a unix socket the HTTP client says 127.0.0.1, because Synapse wants an address there.
  if (url.starts_with("unix:")) return {"127.0.0.1/32"};
  for (const std::string_view local : {"http://127.0.0.1", "http://localhost", "http://[::1]", "https://127.0.0.1", "https://localhost", "https://[::1]"}) {
    // The host ends there: "http://localhost.example" is not this machine.
    const char next = url.size() > local.size() ? url[local.size()] : '/';
    // A listener on :: sees IPv4 clients as mapped addresses.
    if (url.starts_with(local) && (next == ':' || next == '/')) return {"127.0.0.1/32", "::1/128", "::ffff:127.0.0.1/128"};
  }
  return {};
}

config::Registration registration_for(const SetupPlan& plan, const config::Registration* present,
                                      const SetupOptions& options, bool bind_changed, std::vector<std::string>& changes) {
  config::Registration wanted = config::new_registration(plan.localpart, plan.server_name, plan.bot_url);
  wanted.ip_range_whitelist = plan.allow_from;
  if (present == nullptr) return wanted;
  config::Registration result = *present;
  // Without a new address the one in the file stands: it may have been given by --bot-url at the first run.
  if ((!options.bot_url.empty() || bind_changed) && result.url != wanted.url) {
    result.url = wanted.url;
    changes.emplace_back("url");
  }
  if (result.users != wanted.users) {
    result.users = wanted.users;
    changes.emplace_back("namespaces.users");
  }
  if (!options.allow_from.empty() && result.ip_range_whitelist != wanted.ip_range_whitelist) {
    result.ip_range_whitelist = wanted.ip_range_whitelist;
    changes.emplace_back("ip_range_whitelist");
  }
  return result;
}

}  // namespace steward::app
