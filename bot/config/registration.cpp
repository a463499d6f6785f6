#include "config/registration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/yaml.hpp"
#include "core/text.hpp"

namespace steward::config {
namespace {

constexpr std::size_t token_length = 64;

struct Reading {
  Registration registration;
  std::vector<std::string> problems;
};

void complain(Reading& reading, const YAML::Node& where, std::string_view key, std::string_view problem) {
  reading.problems.push_back(fmt::format("{}, {}: {}", line_of(where), key, problem));
}

std::string read_text(Reading& reading, const YAML::Node& root, const std::string& key) {
  const YAML::Node node = root[key];
  if (!node.IsDefined()) {
    reading.problems.push_back(fmt::format("{}: missing", key));
  } else if (!is_text_for_synapse(node)) {
    complain(reading, node, key,
             fmt::format("expected text in \"quotes\", found {}",
                         node.IsScalar() ? "a number, a boolean or nothing" : kind_of(node)));
  } else if (node.Scalar().empty()) {
    complain(reading, node, key, "is empty");
  } else {
    return node.Scalar();
  }
  return {};
}

bool read_boolean(Reading& reading, const YAML::Node& root, const std::string& key, bool otherwise) {
  const YAML::Node node = root[key];
  if (!node.IsDefined() || node.IsNull()) return otherwise;
  if (is_boolean_for_synapse(node)) return boolean_value(node);
  complain(reading, node, key, "expected true or false, without quotes");
  return otherwise;
}

bool is_token(const std::string& text) {  // goes into an HTTP header as it is
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

core::Secret read_token(Reading& reading, const YAML::Node& root, const std::string& key) {
  std::string token = read_text(reading, root, key);
  if (!token.empty() && !is_token(token))
    complain(reading, root[key], key, "holds a blank or a character beyond ASCII");
  return core::Secret(std::move(token));
}

void read_url(Reading& reading, const YAML::Node& root) {
  const YAML::Node node = root["url"];
  if (!node.IsDefined()) {
    reading.problems.emplace_back("url: missing; Synapse needs the address at which it reaches the bot");
  } else if (node.IsNull()) {
    complain(reading, node, "url", "is null: Synapse would send the bot no events");
  } else if (!is_text_for_synapse(node) ||
             !(node.Scalar().starts_with("http://") || node.Scalar().starts_with("https://"))) {
    complain(reading, node, "url", "expected \"http://host:port\" or \"https://host:port\"");
  } else {
    reading.registration.url = node.Scalar();
  }
}

// Python's urllib.parse.quote leaves exactly these alone; Synapse refuses every other character here.
bool survives_quoting(const std::string& localpart) {
  constexpr std::string_view kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~/";
  return localpart.find_first_not_of(kept) == std::string::npos;
}

void read_namespace(Reading& reading, const YAML::Node& entry, const std::string& key, std::vector<Namespace>& into) {
  if (!entry.IsMap()) return complain(reading, entry, key, "expected an entry with regex and exclusive");
  const YAML::Node regex = entry["regex"];
  const YAML::Node exclusive = entry["exclusive"];
  if (!regex.IsDefined() || !is_text_for_synapse(regex) || regex.Scalar().empty()) {
    complain(reading, entry, key + ".regex", "expected text in 'quotes'");
  } else if (!exclusive.IsDefined() || !is_boolean_for_synapse(exclusive)) {
    complain(reading, entry, key + ".exclusive", "expected true or false, without quotes");
  } else {
    into.push_back(Namespace{regex.Scalar(), boolean_value(exclusive)});
  }
}

void read_namespaces(Reading& reading, const YAML::Node& root) {
  const YAML::Node spaces = root["namespaces"];
  if (!spaces.IsDefined()) return reading.problems.emplace_back("namespaces: missing"), void();
  if (!spaces.IsMap()) return complain(reading, spaces, "namespaces", "expected users, aliases and rooms below it");
  Registration& to = reading.registration;
  const std::array<std::pair<std::string, std::vector<Namespace>*>, 3> kinds{
      {{"users", &to.users}, {"aliases", &to.aliases}, {"rooms", &to.rooms}}};
  for (const auto& [kind, into] : kinds) {
    const YAML::Node list = spaces[kind];
    const std::string key = "namespaces." + kind;
    if (!list.IsDefined()) continue;
    if (!list.IsSequence()) {
      complain(reading, list, key, "expected a list; write [] for none");
      continue;
    }
    for (const YAML::Node& entry : list) read_namespace(reading, entry, key, *into);
  }
}

bool is_address_range(const std::string& text) {
  return !text.empty() && text.find_first_of(".:") != std::string::npos &&
         text.find_first_not_of("0123456789abcdefABCDEF.:/") == std::string::npos;
}

void read_whitelist(Reading& reading, const YAML::Node& root) {
  const YAML::Node list = root["ip_range_whitelist"];
  if (!list.IsDefined() || list.IsNull()) return;
  if (!list.IsSequence()) return complain(reading, list, "ip_range_whitelist", "expected a list of addresses");
  for (const YAML::Node& entry : list) {
    if (!entry.IsScalar() || !is_address_range(entry.Scalar())) {
      complain(reading, entry, "ip_range_whitelist", "expected an address or a range, for example \"127.0.0.1/32\"");
    } else {
      reading.registration.ip_range_whitelist.push_back(entry.Scalar());
    }
  }
}

void read_identity(Reading& reading, const YAML::Node& root) {
  Registration& to = reading.registration;
  to.id = read_text(reading, root, "id");
  if (to.id.find('|') != std::string::npos) complain(reading, root["id"], "id", "must not hold a |");
  to.as_token = read_token(reading, root, "as_token");
  to.hs_token = read_token(reading, root, "hs_token");
  if (!to.as_token.empty() && to.as_token.reveal() == to.hs_token.reveal()) {
    complain(reading, root["hs_token"], "hs_token", "is the same as as_token; each needs its own");
  }
  to.sender_localpart = read_text(reading, root, "sender_localpart");
  if (!survives_quoting(to.sender_localpart)) {
    complain(reading, root["sender_localpart"], "sender_localpart",
             "may only hold letters, digits and _ . - ~ /, no @ and no server");
  }
}

Reading read(std::string_view yaml) {
  Reading reading;
  const auto loaded = read_yaml(yaml);
  if (!loaded) {
    reading.problems.push_back(core::describe(loaded.error()));
    return reading;
  }
  const YAML::Node root = *loaded;  // const: operator[] of another node would insert what it does not find
  if (!root.IsMap()) {
    reading.problems.emplace_back("the file holds no keys");
    return reading;
  }
  for (const std::string& key : doubled_keys(root))
    reading.problems.push_back(fmt::format("{}: stands there twice", core::echo_word(key)));
  read_identity(reading, root);
  read_url(reading, root);
  reading.registration.rate_limited = read_boolean(reading, root, "rate_limited", true);
  reading.registration.msc4190 = read_boolean(reading, root, "io.element.msc4190", false);
  read_namespaces(reading, root);
  read_whitelist(reading, root);
  return reading;
}

std::string in_single_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + '\'';
}

std::string render_namespaces(std::string_view kind, const std::vector<Namespace>& list) {
  if (list.empty()) return fmt::format("  {}: []\n", kind);
  std::string text = fmt::format("  {}:\n", kind);
  for (const Namespace& entry : list) {
    text += fmt::format("    - exclusive: {}  # nobody else may register this name\n", entry.exclusive);
    text += fmt::format("      regex: {}  # anchored and escaped: Synapse matches prefixes\n",
                        in_single_quotes(entry.regex));
  }
  return text;
}

}  // namespace

std::string exact_user_regex(std::string_view localpart, std::string_view server_name) {
  std::string regex = "^@";
  constexpr std::string_view special = R"re(.^$*+?{}[]\|())re";
  for (const char c : fmt::format("{}:{}", localpart, server_name)) {
    if (special.find(c) != std::string_view::npos) regex += '\\';
    regex += c;
  }
  return regex + '$';
}

Registration new_registration(std::string_view localpart, std::string_view server_name, std::string_view url) {
  Registration made;
  made.id = "synapse-steward";
  made.url = std::string(url);
  made.as_token = core::Secret(core::random_token(token_length));
  made.hs_token = core::Secret(core::random_token(token_length));
  made.sender_localpart = "_steward_as";
  made.rate_limited = false;
  made.msc4190 = true;
  made.users.push_back(Namespace{exact_user_regex(localpart, server_name), true});
  return made;
}

std::vector<std::string> check_registration(std::string_view yaml) { return read(yaml).problems; }

core::Result<Registration> parse_registration(std::string_view yaml) {
  Reading reading = read(yaml);
  if (reading.problems.empty()) return std::move(reading.registration);
  return core::fail(core::Code::bad_input, "the registration is not usable", core::join(reading.problems, "\n"),
                    "Mend it before Synapse starts again: Synapse refuses to start with a broken registration.");
}

std::string render_registration(const Registration& r) {
  std::string text =
      "# Registration of synapse-steward with Synapse. It holds both tokens: mode 0640, readable by Synapse's group.\n";
  text += "# Named in homeserver.yaml under app_service_config_files; Synapse reads it at its start only.\n";
  text += fmt::format("id: {}  # unique over all application services\n", quoted(r.id));
  text += fmt::format("url: {}  # where Synapse reaches the bot\n", r.url ? quoted(*r.url) : "null");
  text += fmt::format("as_token: {}  # the bot shows this one to Synapse; full control of the server\n",
                      quoted(r.as_token.reveal()));
  text += fmt::format("hs_token: {}  # Synapse shows this one to the bot\n", quoted(r.hs_token.reveal()));
  text += fmt::format("sender_localpart: {}  # calls the admin API and never speaks; the chat user stands below\n",
                      quoted(r.sender_localpart));
  text += fmt::format("rate_limited: {}  # false: progress messages are not held back\n", r.rate_limited);
  text += fmt::format("io.element.msc4190: {}  # devices without log-in, needed by Synapse before 1.141\n", r.msc4190);
  text += "namespaces:  # what belongs to the bot\n";
  text += render_namespaces("users", r.users) + render_namespaces("aliases", r.aliases) +
          render_namespaces("rooms", r.rooms);
  if (r.ip_range_whitelist.empty()) return text;
  text += "ip_range_whitelist:  # as_token is accepted from these addresses only\n";
  for (const std::string& range : r.ip_range_whitelist) text += fmt::format("  - {}\n", quoted(range));
  return text;
}

}  // namespace steward::config
