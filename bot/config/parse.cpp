#include "config/parse.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/checks.hpp"
#include "config/registration.hpp"
#include "config/table.hpp"
#include "config/values.hpp"
#include "config/yaml.hpp"
#include "core/text.hpp"

namespace steward::config {
namespace {

constexpr std::string_view file_ending = "_file";

std::string variable_of(std::string_view key) {
  std::string name = "STEWARD_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  for (const Setting& setting : settings()) {
    keys.emplace_back(setting.key);
    if (setting.type == Type::secret) keys.push_back(std::string(setting.key) + std::string(file_ending));
    const std::string group(setting.key.substr(0, setting.key.find('.')));
    if (group != setting.key && std::find(keys.begin(), keys.end(), group) == keys.end()) keys.push_back(group);
  }
  return keys;
}

bool is_group(const std::string& path) {
  for (const Setting& setting : settings()) {
    if (setting.key.size() > path.size() && setting.key.starts_with(path) && setting.key[path.size()] == '.')
      return true;
  }
  return false;
}

std::string suggestion(const std::string& path) {
  const auto keys = known_keys();
  if (const auto near = core::nearest(core::to_lower_ascii(path), keys, 3))
    return fmt::format("did you mean {}?", *near);
  const std::string last = path.substr(path.rfind('.') + 1);
  for (const std::string& key : keys) {  // the right word in the wrong group
    if (key.size() > last.size() && key.ends_with('.' + last)) return fmt::format("did you mean {}?", key);
  }
  const std::string group = path.substr(0, path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1);
  std::vector<std::string> siblings;
  for (const std::string& key : keys) {
    if (key.starts_with(group) && (!group.empty() || key.find('.') == std::string::npos)) siblings.push_back(key);
  }
  return "known here: " + core::join(siblings, ", ");
}

class Reader {
 public:
  Reader(std::string base, const std::map<std::string, std::string>& environment)
      : base_(std::move(base)), environment_(environment), known_(known_keys()) {}

  Parsed read(const YAML::Node& root) {
    if (root.IsMap()) {
      collect(root, {});
    } else if (!root.IsNull()) {
      parsed_.problems.push_back(fmt::format("{}: expected keys and values, found {}", line_of(root), kind_of(root)));
    }
    for (const Row& row : rows()) fill(row);
    finish();
    return std::move(parsed_);
  }

 private:
  void collect(const YAML::Node& map, const std::string& prefix) {
    for (const auto& entry : map) {
      const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      const std::string path = prefix.empty() ? name : prefix + '.' + name;
      if (is_group(path)) {
        collect_group(entry.second, path);
      } else if (std::find(known_.begin(), known_.end(), path) == known_.end()) {
        complain(entry.first, core::echo_word(path), "unknown key; " + suggestion(path));
      } else if (!nodes_.emplace(path, entry.second).second) {
        complain(entry.first, path, "stands there twice");
      }
    }
  }

  void collect_group(const YAML::Node& node, const std::string& path) {
    if (node.IsMap()) return collect(node, path);
    if (!node.IsNull() || lost_its_value(node))
      complain(node, path, "expected keys and values below it, found " + kind_of(node));
  }

  void complain(const YAML::Node& where, std::string_view key, std::string_view problem) {
    parsed_.problems.push_back(fmt::format("{}, {}: {}", line_of(where), key, problem));
  }

  const YAML::Node* given(const std::string& key) const {
    const auto found = nodes_.find(key);
    if (found == nodes_.end() || (found->second.IsNull() && !lost_its_value(found->second))) return nullptr;
    return &found->second;
  }

  void fill(const Row& row) {
    const std::string key(row.setting.key);
    if (row.setting.type == Type::secret && fill_secret(row, key)) return;
    const YAML::Node* node = given(key);
    if (node == nullptr) return fill_default(row, key);
    const Converted value = convert(row.setting, *node, base_);
    if (!value) return complain(*node, key, value.error());
    if (row.setting.type == Type::secret) parsed_.inline_secret = true;
    if (const auto problem = row.store(parsed_.config, *value); !problem.empty()) complain(*node, key, problem);
  }

  void fill_default(const Row& row, const std::string& key) {
    if (row.setting.required) {
      parsed_.problems.push_back(fmt::format("{}: missing. {}", key, row.setting.text));
    } else if (!row.setting.default_value.empty()) {
      if (const auto value = default_of(row.setting, base_)) row.store(parsed_.config, *value);
    }
  }

  // From the environment, which wins, or from the file named by <key>_file. False: neither is given.
  bool fill_secret(const Row& row, const std::string& key) {
    const auto variable = environment_.find(variable_of(key));
    if (variable != environment_.end() && !variable->second.empty()) {
      store_secret(row, variable->first, variable->second);
      return true;
    }
    const std::string file_key = key + std::string(file_ending);
    const YAML::Node* node = given(file_key);
    if (node == nullptr) return false;
    if (given(key) != nullptr) {
      complain(*node, file_key, fmt::format("{} is given too; keep one of them", key));
    } else if (!node->IsScalar()) {
      complain(*node, file_key, "expected a path, found " + kind_of(*node));
    } else {
      fill_from_file(row, file_key, absolute(node->Scalar(), base_));
    }
    return true;
  }

  void fill_from_file(const Row& row, const std::string& file_key, const std::string& path) {
    const auto text = read_file(path);
    if (!text) {
      parsed_.problems.push_back(fmt::format("{}: {}", file_key, core::describe(text.error())));
      return;
    }
    if (auto exposed = check_readers(path, Readers::owner); !exposed.empty()) {
      parsed_.exposed.push_back(fmt::format("{}: {}", file_key, exposed));
    }
    const std::string secret(core::trim(*text));
    if (secret.empty()) {
      parsed_.problems.push_back(fmt::format("{}: {} is empty", file_key, path));
    } else {
      store_secret(row, file_key, secret);
    }
  }

  void store_secret(const Row& row, const std::string& source, const std::string& secret) {
    if (const auto problem = row.store(parsed_.config, secret); !problem.empty()) {
      parsed_.problems.push_back(fmt::format("{}: {}", source, problem));
    }
  }

  void finish() {
    Config& config = parsed_.config;
    if (config.bot.socket.empty() && !config.bot.state_directory.empty()) {
      config.bot.socket = absolute("control.sock", config.bot.state_directory);
      if (const auto problem = check_socket_path(config.bot.socket); !problem.empty()) {
        parsed_.problems.push_back("bot.state_directory: " + problem + "; set bot.socket to a shorter one");
      }
    }
    const auto registration = read_registration();
    for (auto& problem : check_together(config, registration ? &*registration : nullptr))
      parsed_.problems.push_back(std::move(problem));
  }

  std::optional<Registration> read_registration() {
    auto& to = parsed_.config.appservice;
    if (to.registration.empty()) return std::nullopt;
    const auto text = read_file(to.registration);
    if (!text) {
      parsed_.problems.push_back("appservice.registration: " + core::describe(text.error()));
      return std::nullopt;
    }
    if (auto exposed = check_readers(to.registration, Readers::owner_and_group); !exposed.empty()) {
      parsed_.exposed.push_back("appservice.registration: " + exposed);
    }
    for (const auto& problem : check_registration(*text)) parsed_.problems.push_back(to.registration + ", " + problem);
    auto registration = parse_registration(*text);
    if (!registration) return std::nullopt;
    to.id = registration->id;
    to.as_token = registration->as_token;
    to.hs_token = registration->hs_token;
    to.sender_localpart = registration->sender_localpart;
    return std::move(*registration);
  }

  std::string base_;
  const std::map<std::string, std::string>& environment_;
  std::vector<std::string> known_;
  std::map<std::string, YAML::Node> nodes_;
  Parsed parsed_;
};

}  // namespace

Parsed read_config(std::string_view yaml, const std::string& base,
                   const std::map<std::string, std::string>& environment) {
  Parsed broken;
  const auto root = read_yaml(yaml);
  if (!root) {
    broken.problems.push_back(core::describe(root.error()));
    return broken;
  }
  try {
    return Reader(base, environment).read(*root);
  } catch (const YAML::Exception& error) {
    broken.problems.push_back(fmt::format("line {}: a key or value that cannot be read", error.mark.line + 1));
    return broken;
  }
}

}  // namespace steward::config
