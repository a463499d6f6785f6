#include "app/homeserver_yaml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>

#include "config/yaml.hpp"
#include "core/text.hpp"

namespace steward::app {

namespace fs = std::filesystem;
using core::Code;

namespace {

using Sections = std::map<std::string, YAML::Node>;

std::string text_of(const YAML::Node& node) {
  return node && node.IsScalar() && node.Tag() != "tag:yaml.org,2002:null" ? node.Scalar() : std::string();
}

bool is_true(const YAML::Node& node) {
  bool value = false;
  return node && node.IsScalar() && YAML::convert<bool>::decode(node, value) && value;
}

// YAML of a mapping: yaml-cpp finds the first of two equal keys, Synapse's reader the last.
YAML::Node entry(const YAML::Node& map, std::string_view key) {
  YAML::Node found(YAML::NodeType::Undefined);
  if (!map || !map.IsMap()) return found;
  for (const auto& pair : map) {
    if (pair.first.IsScalar() && pair.first.Scalar() == key) found.reset(pair.second);
  }
  return found;
}

core::Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (file) content << file.rdbuf();
  if (file && !file.bad()) return content.str();
  const int reason = errno;
  if (reason == ENOENT) return core::fail(Code::not_found, "There is no file " + path, {}, "Check the path");
  return core::fail(Code::not_allowed, "Cannot read " + path, reason != 0 ? std::strerror(reason) : "read error",
                    "Run this as a user who may read it, for example with sudo");
}

// The files behind the given paths, as Synapse's find_config_files does it.
core::Result<std::vector<std::string>> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> result;
  std::vector<std::string> wanted = paths;
  std::error_code error;
  if (paths.size() == 1 && fs::is_regular_file(paths.front(), error)) {
    const fs::path beside = fs::path(paths.front()).parent_path() / "conf.d";
    if (fs::is_directory(beside, error)) wanted.push_back(beside.string());
  }
  for (const std::string& path : wanted) {
    if (!fs::is_directory(path, error)) {
      result.push_back(path);
      continue;
    }
    std::vector<std::string> inside;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
      std::error_code ignored;
      if (entry->is_regular_file(ignored) && entry->path().extension() == ".yaml") inside.push_back(entry->path().string());
    }
    if (error) {
      return core::fail(Code::not_allowed, "Cannot read the folder " + path, error.message(),
                        "Run this as a user who may read it, for example with sudo");
    }
    std::sort(inside.begin(), inside.end());
    result.insert(result.end(), inside.begin(), inside.end());
  }
  return result;
}

// Merges one file into the sections; remembers who said app_service_config_files last.
core::Result<void> merge(const std::string& path, Sections& sections, HomeserverYaml& result) {
  auto content = read_file(path);
  if (!content) return std::unexpected(content.error());
  const auto root = config::read_yaml(*content);
  if (!root) {
    return core::fail(Code::bad_input, "Cannot understand " + path, core::describe(root.error()), "Give Synapse's own configuration file");
  }
  if (!root->IsMap()) return {};  // Synapse ignores such a file too
  for (const auto& pair : *root) {
    if (!pair.first.IsScalar()) continue;
    sections[pair.first.Scalar()].reset(pair.second);
    if (pair.first.Scalar() == "app_service_config_files") result.registrations_file = path;
  }
  return {};
}

YAML::Node section(const Sections& sections, const std::string& name) {
  const auto found = sections.find(name);
  return found == sections.end() ? YAML::Node(YAML::NodeType::Undefined) : found->second;
}

std::string absolute(const std::string& path, const fs::path& base) {
  if (path.empty() || path.front() == '/') return path;
  return (base / path).lexically_normal().string();
}

// ---- listeners ---------------------------------------------------------------------------------------------------

bool serves_clients(const YAML::Node& listener) {
  const YAML::Node resources = entry(listener, "resources");
  if (!resources || !resources.IsSequence()) return false;
  for (const auto& resource : resources) {
    const YAML::Node names = entry(resource, "names");
    if (!names || !names.IsSequence()) continue;
    for (const auto& name : names) {
      if (text_of(name) == "client") return true;
    }
  }
  return false;
}

// The address of this machine that reaches the listener. Without bind_addresses Synapse listens on all.
std::string reachable_host(const YAML::Node& listener) {
  std::vector<std::string> addresses;
  if (const YAML::Node list = entry(listener, "bind_addresses"); list && list.IsSequence()) {
    for (const auto& address : list) addresses.push_back(text_of(address));
  }
  if (const std::string single = text_of(entry(listener, "bind_address")); !single.empty()) addresses.push_back(single);
  const auto has = [&addresses](std::string_view wanted) {
    return std::find(addresses.begin(), addresses.end(), wanted) != addresses.end();
  };
  if (addresses.empty() || has("127.0.0.1") || has("0.0.0.0") || has("")) return "127.0.0.1";
  if (has("::1") || has("::")) return "[::1]";
  const std::string& first = addresses.front();
  return first.find(':') != std::string::npos ? "[" + first + "]" : first;
}

void read_listeners(const Sections& sections, HomeserverYaml& result) {
  const YAML::Node listeners = section(sections, "listeners");
  if (!listeners || !listeners.IsSequence()) return;
  std::vector<std::string> plain, sockets, tls;
  for (const auto& listener : listeners) {
    if (text_of(entry(listener, "type")) != "http" || !serves_clients(listener)) continue;
    const std::string path = text_of(entry(listener, "path"));
    const std::string port = text_of(entry(listener, "port"));
    if (!path.empty()) {
      sockets.push_back("unix:" + path);
    } else if (is_true(entry(listener, "tls"))) {
      tls.push_back("https://" + reachable_host(listener) + ":" + port);
    } else {
      plain.push_back("http://" + reachable_host(listener) + ":" + port);
    }
  }
  for (const auto* kind : {&plain, &sockets, &tls}) {
    result.client_urls.insert(result.client_urls.end(), kind->begin(), kind->end());
  }
}

// ---- database ----------------------------------------------------------------------------------------------------

// Of psycopg2's arguments those that libpq knows under the same name; cp_* belong to Synapse's connection pool.
core::Secret connection_of(const YAML::Node& arguments) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (arguments && arguments.IsMap()) {
    for (const auto& pair : arguments) {
      const std::string key = text_of(pair.first);
      if (key.empty() || key.starts_with("cp_")) continue;
      pairs.emplace_back(key == "database" ? "dbname" : key, text_of(pair.second));
    }
  }
  return core::Secret(connection_string(pairs));
}

bool holds_store(const YAML::Node& database, std::string_view store) {
  const YAML::Node stores = entry(database, "data_stores");
  if (!stores || !stores.IsSequence()) return true;  // Synapse: all of them
  return std::any_of(stores.begin(), stores.end(), [store](const YAML::Node& name) { return text_of(name) == store; });
}

void read_database(const Sections& sections, HomeserverYaml& result) {
  YAML::Node chosen = section(sections, "database");
  bool split = false;
  if (const YAML::Node several = section(sections, "databases"); several && several.IsMap()) {
    for (const auto& pair : several) {
      if (!holds_store(pair.second, "main")) continue;
      chosen.reset(pair.second);
      split = !holds_store(pair.second, "state");
    }
  }
  const std::string name = text_of(entry(chosen, "name"));
  if (name == "psycopg2") {
    result.engine = split ? Engine::split : Engine::postgresql;
    result.database = connection_of(entry(chosen, "args"));
  } else if (name == "sqlite3" || !text_of(section(sections, "database_path")).empty()) {
    result.engine = Engine::sqlite;
  }
}

// ---- the rest ----------------------------------------------------------------------------------------------------

void read_secret(const Sections& sections, const fs::path& base, HomeserverYaml& result) {
  result.shared_secret = core::Secret(text_of(section(sections, "registration_shared_secret")));
  const std::string path = absolute(text_of(section(sections, "registration_shared_secret_path")), base);
  if (!result.shared_secret.empty() || path.empty()) return;
  auto content = read_file(path);
  if (content) {
    result.shared_secret = core::Secret(std::string(core::trim(*content)));
  } else {
    result.shared_secret_problem = core::describe(content.error());
  }
}

void read_names(const Sections& sections, const fs::path& base, HomeserverYaml& result) {
  result.server_name = text_of(section(sections, "server_name"));
  result.mas = is_true(entry(section(sections, "matrix_authentication_service"), "enabled"));
  if (const YAML::Node list = section(sections, "app_service_config_files"); list && list.IsSequence()) {
    for (const auto& path : list) result.registrations.push_back(absolute(text_of(path), base));
  }
  const std::string key = text_of(section(sections, "signing_key_path"));
  result.signing_key = absolute(key.empty() ? result.server_name + ".signing.key" : key, base);
  const std::string media = text_of(section(sections, "media_store_path"));
  result.media_store = absolute(media.empty() ? "media_store" : media, base);
}

std::string escaped_value(std::string_view value) {
  std::string text;
  for (const char character : value) {
    if (character == '\'' || character == '\\') text += '\\';
    text += character;
  }
  return text;
}

}  // namespace

std::string connection_string(const std::vector<std::pair<std::string, std::string>>& arguments) {
  std::string text;
  for (const auto& [key, value] : arguments) {
    if (value.empty()) continue;
    if (!text.empty()) text += ' ';
    text += key + "='" + escaped_value(value) + "'";
  }
  return text;
}

std::string yaml_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      quoted += '\\';
      quoted += character;
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += character;
    }
  }
  return quoted + "\"";
}

std::string registration_lines(const std::vector<std::string>& present, const std::string& path) {
  std::string text = "app_service_config_files:\n";
  for (const std::string& file : present) {
    if (file != path) text += "  - " + yaml_quoted(file) + "\n";
  }
  return text + "  - " + yaml_quoted(path) + "\n";
}

core::Result<HomeserverYaml> read_homeserver_yaml(const std::vector<std::string>& paths) {
  HomeserverYaml result;
  auto files = files_of(paths);
  if (!files) return std::unexpected(files.error());
  Sections sections;
  for (const std::string& file : *files) {
    if (auto merged = merge(file, sections, result); !merged) return std::unexpected(merged.error());
  }
  result.files = std::move(*files);
  if (result.files.empty()) {
    return core::fail(Code::not_found, "No configuration file of Synapse was found", "the folder holds no *.yaml",
                      "Give the path of homeserver.yaml");
  }
  // Synapse takes relative paths from its working directory, which packages set beside the configuration.
  std::error_code error;
  const fs::path base = fs::absolute(fs::path(result.files.front()), error).parent_path();
  read_names(sections, base, result);
  read_listeners(sections, result);
  read_database(sections, result);
  read_secret(sections, base, result);
  if (result.server_name.empty()) {
    return core::fail(Code::bad_input, "Synapse's configuration names no server_name", core::join(result.files, ", "),
                      "Give all files that Synapse is started with, each with --homeserver-yaml");
  }
  return result;
}

}  // namespace steward::app
