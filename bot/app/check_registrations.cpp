// The doctor's look at the other application services: whoever may act as one of the admins, or as the bot, can type
// commands. The bot proves each command's sender by the database; without one this list is all there is.
#include <filesystem>
#include <regex>

#include "app/check_report.hpp"
#include "app/setup_files.hpp"
#include "config/yaml.hpp"
#include "core/text.hpp"

namespace steward::app {

namespace {

struct OtherNamespace {
  std::string regex;
  bool exclusive = false;
};

struct OtherRegistration {
  std::string id;
  std::vector<OtherNamespace> users;
};

std::string scalar(const YAML::Node& node) { return node.IsDefined() && node.IsScalar() ? node.Scalar() : std::string(); }

// Tolerant: Synapse accepted the file, so its parts are what they should be, or they are of no interest here.
OtherRegistration registration_of(const YAML::Node& root) {
  OtherRegistration result;
  if (!root.IsMap()) return result;
  result.id = scalar(root["id"]);
  const YAML::Node spaces = root["namespaces"];
  const YAML::Node users = spaces.IsDefined() && spaces.IsMap() ? spaces["users"] : YAML::Node();
  if (!users.IsDefined() || !users.IsSequence()) return result;
  for (const YAML::Node& entry : users) {
    if (!entry.IsMap()) continue;
    OtherNamespace space{scalar(entry["regex"]), false};
    YAML::convert<bool>::decode(entry["exclusive"], space.exclusive);
    if (!space.regex.empty()) result.users.push_back(std::move(space));
  }
  return result;
}

// As Synapse matches (appservice/__init__.py: re.match): from the start, not to the end.
bool covers(const std::regex& regex, const core::UserId& user) {
  return std::regex_search(user.str(), regex, std::regex_constants::match_continuous);
}

std::string pattern(const OtherNamespace& space) { return core::clean_name(space.regex, 80); }

void judge_namespace(Report& report, const config::Config& config, const std::string& path, const OtherRegistration& other,
                     const OtherNamespace& space) {
  const std::string who = core::clean_name(other.id, 40);
  const std::string narrow = fmt::format("narrow namespaces.users in {} and restart Synapse", path);
  std::regex regex;
  try {
    regex = std::regex(space.regex, std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    report.warn(fmt::format("the users namespace {} of {} could not be judged", pattern(space), who), "see that it covers no admin");
    return;
  }
  const std::string server = ":" + config.homeserver.server_name;
  for (const core::UserId& own : {core::UserId("@" + config.bot.localpart + server), core::UserId("@" + config.appservice.sender_localpart + server)}) {
    if (!covers(regex, own)) continue;
    report.fail(fmt::format("{} may act as the bot's {} ({}{})", who, own.str(), pattern(space), space.exclusive ? ", exclusive" : ""), narrow);
  }
  for (const core::UserId& admin : config.room.admins) {
    if (covers(regex, admin)) report.warn(fmt::format("{} may act as the admin {} ({})", who, admin.str(), pattern(space)), narrow);
  }
}

}  // namespace

void judge_registration(Report& report, const config::Config& config, const std::string& path, const std::string& text) {
  const auto root = config::read_yaml(text);
  if (!root) {
    report.warn(path + ": " + root.error().what, "mend it: Synapse would not start again");
    return;
  }
  const OtherRegistration other = registration_of(*root);
  if (other.id == config.appservice.id) {
    report.fail(fmt::format("{} has the bot's own id {}", path, other.id), "give each registration its own id: Synapse would not start again");
    return;
  }
  for (const OtherNamespace& space : other.users) judge_namespace(report, config, path, other, space);
}

void check_registrations(Report& report, const config::Config& config, const HomeserverYaml& yaml) {
  const std::size_t before = report.findings().size();
  bool named = false;
  for (const std::string& path : yaml.registrations) {
    std::error_code error;
    const auto text = read_text(path);
    const auto ours = read_text(config.appservice.registration);
    if (path == config.appservice.registration || std::filesystem::equivalent(path, config.appservice.registration, error) ||
        (text && ours && *text == *ours)) {
      named = true;
    } else if (!text) {
      report.warn(path + " cannot be read", "run this as a user who may read it");
    } else {
      judge_registration(report, config, path, *text);
    }
  }
  if (!named) {
    report.fail("homeserver.yaml does not name " + config.appservice.registration,
                "add it to app_service_config_files in " + (yaml.registrations_file.empty() ? yaml.files.front() : yaml.registrations_file));
  }
  if (report.findings().size() == before) report.ok("no other registration covers an admin or the bot");
}

}  // namespace steward::app
