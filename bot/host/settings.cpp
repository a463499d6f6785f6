#include "host/settings.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::host {

namespace {

// Reads one map of the file; what is wrong is gathered.
class Reader {
 public:
  Reader(const YAML::Node& node, std::string prefix, std::vector<std::string>& problems) : node_(node), prefix_(std::move(prefix)), problems_(problems) {}

  std::string text(const char* key, bool required) {
    const YAML::Node value = find(key, required);
    if (!value) return {};
    if (!value.IsScalar() || value.Scalar().empty()) return problem(key, "expected a text"), std::string();
    return value.Scalar();
  }
  std::string path(const char* key, bool required) {
    std::string text = this->text(key, required);
    if (!text.empty() && !text.starts_with('/')) problem(key, "expected a path that starts with /");
    return text;
  }
  void duration(const char* key, std::chrono::seconds& to) {
    const std::string text = this->text(key, false);
    if (text.empty()) return;
    const auto duration = core::parse_duration(text);
    if (duration) to = *duration;
    else problem(key, "expected a duration like 2h");
  }
  Words words(const char* key, bool required) {
    const YAML::Node value = find(key, required);
    Words words;
    if (!value) return words;
    if (value.IsSequence())
      for (const YAML::Node& word : value)
        if (word.IsScalar()) words.push_back(word.Scalar());
    if (words.empty() || words.size() != value.size()) problem(key, "expected a list: the program and its arguments, there is no shell");
    else if (!words.front().starts_with('/') && !words.front().starts_with("{environment}/")) problem(key, "the program needs its whole path");
    return words;
  }
  YAML::Node map(const char* key) {
    const YAML::Node value = find(key, false);
    if (value && !value.IsMap()) problem(key, "expected keys and values");
    return value && value.IsMap() ? value : YAML::Node();
  }
  void problem(const std::string& key, const std::string& text) { problems_.push_back(prefix_ + key + ": " + text); }
  void nothing_else() {
    if (!node_.IsMap()) return;
    for (const auto& pair : node_)
      if (std::find(known_.begin(), known_.end(), pair.first.Scalar()) == known_.end()) problem(core::clean_name(pair.first.Scalar()), "no such setting");
  }

 private:
  YAML::Node find(const char* key, bool required) {
    known_.emplace_back(key);
    const YAML::Node value = node_.IsMap() ? node_[key] : YAML::Node(YAML::NodeType::Undefined);
    if (!value && required) problem(key, "is missing");
    return value;
  }
  const YAML::Node node_;
  std::string prefix_;
  std::vector<std::string>& problems_;
  std::vector<std::string> known_;
};

uid_t user_of(Reader& reader) {
  const std::string name = reader.text("allow", true);
  if (name.empty()) return 0;
  if (const passwd* entry = getpwnam(name.c_str())) return entry->pw_uid;
  if (name.find_first_not_of("0123456789") == std::string::npos && name.size() < 10) return static_cast<uid_t>(std::stoul(name));
  reader.problem("allow", "this machine has no such account");
  return 0;
}

void read_actions(const YAML::Node& node, Settings& settings, std::vector<std::string>& problems) {
  Reader reader(node, "actions.", problems);
  for (const Verb verb : {Verb::stop, Verb::start, Verb::restart, Verb::backup, Verb::disk})
    if (Words words = reader.words(name(verb).data(), false); !words.empty()) settings.actions[verb] = std::move(words);
  reader.nothing_else();
  if (settings.actions.contains(Verb::stop) != settings.actions.contains(Verb::start)) reader.problem("stop", "stop and start belong together");
}

void read_upgrade(const YAML::Node& node, Settings& settings, std::vector<std::string>& problems) {
  if (!node.IsMap()) return;
  Reader reader(node, "upgrade.", problems);
  settings.link = reader.path("link", true);
  settings.environments = reader.path("environments", true);
  settings.create = reader.words("create", true);
  settings.install = reader.words("install", true);
  settings.check = reader.words("check", false);
  reader.nothing_else();
  if (!settings.actions.contains(Verb::stop)) reader.problem("link", "needs actions.stop and actions.start");
}

Settings read_all(const YAML::Node& node, std::vector<std::string>& problems) {
  Settings settings;
  Reader reader(node, "", problems);
  settings.socket = reader.path("socket", true);
  settings.log = reader.path("log", true);
  settings.state = reader.path("state", true);
  settings.allowed = user_of(reader);
  settings.synapse_url = reader.text("synapse_url", true);
  settings.process = reader.text("process", false);
  settings.dumps = reader.path("dumps", false);
  reader.duration("stop_every", settings.stop_every);
  reader.duration("window", settings.window);
  reader.duration("start_limit", settings.start_limit);
  read_actions(reader.map("actions"), settings, problems);
  read_upgrade(reader.map("upgrade"), settings, problems);
  const YAML::Node environment = reader.map("environment");
  if (environment.IsMap())
    for (const auto& pair : environment) settings.environment.emplace_back(pair.first.Scalar(), pair.second.IsScalar() ? pair.second.Scalar() : "");
  else settings.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"LANG", "C.UTF-8"}, {"HOME", "/nonexistent"}};
  reader.nothing_else();
  return settings;
}

// Who could change what root runs.
std::string writers(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return "cannot be looked at";
  if (info.st_uid != 0 && info.st_uid != geteuid()) return "must belong to root";
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0) return "must not be writable by group or others";
  return {};
}

}  // namespace

const Words* Settings::action(Verb verb) const {
  const auto found = actions.find(verb);
  return found == actions.end() ? nullptr : &found->second;
}

core::Result<Settings> parse_settings(std::string_view yaml) {
  std::vector<std::string> problems;
  Settings settings;
  try {
    const YAML::Node node = YAML::Load(std::string(yaml));
    if (!node.IsMap()) return core::fail(core::Code::bad_input, "The file has no settings");
    settings = read_all(node, problems);
  } catch (const YAML::Exception& error) {
    return core::fail(core::Code::bad_input, fmt::format("Line {} is no YAML", error.mark.line + 1));
  }
  if (!problems.empty()) return core::fail(core::Code::bad_input, "The settings are wrong", "\n  " + core::join(problems, "\n  "));
  return settings;
}

core::Result<Settings> read_settings(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return core::fail(core::Code::not_found, path + " cannot be read");
  for (const std::string& each : {path, std::filesystem::absolute(path).parent_path().string()})
    if (const std::string why = writers(each); !why.empty()) return core::fail(core::Code::not_allowed, each + " " + why, "what stands in the file is run by this program");
  std::ostringstream text;
  text << file.rdbuf();
  return parse_settings(text.str());
}

}  // namespace steward::host
