#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/registration.hpp"

namespace steward::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A folder of its own with a good registration and a good steward.yaml.
class Settings : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "steward-config-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    write("registration.yaml", render_registration(new_registration("steward", "hs.test", "http://127.0.0.1:29340")),
          0640);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  static std::string good(const std::string& more = "") {
    return "homeserver:\n  url: http://127.0.0.1:8008/\n  server_name: hs.test\n"
           "appservice:\n  registration: registration.yaml\n"
           "bot:\n  state_directory: state\n"
           "room:\n  admins: [\"@alice:hs.test\"]\n" +
           more;
  }

  core::Result<Config> parsed(const std::string& yaml, const std::map<std::string, std::string>& environment = {}) {
    return parse(yaml, folder_, environment);
  }
  // The problems, one a line; empty when there is none.
  std::string problems(const std::string& yaml, const std::map<std::string, std::string>& environment = {}) {
    const auto config = parsed(yaml, environment);
    return config ? "" : config.error().why;
  }

  std::string folder_;
};

TEST_F(Settings, TheShortestFileGivesTheDefaults) {
  const auto config = parsed(good());
  ASSERT_TRUE(config) << describe(config.error());
  EXPECT_EQ(config->homeserver.url, "http://127.0.0.1:8008");
  EXPECT_EQ(config->homeserver.media_url, "");
  EXPECT_EQ(config->appservice.registration, folder_ + "/registration.yaml");
  EXPECT_EQ(config->appservice.id, "synapse-steward");
  EXPECT_EQ(config->appservice.sender_localpart, "_steward_as");
  EXPECT_EQ(config->appservice.as_token.reveal().size(), 64U);
  EXPECT_NE(config->appservice.as_token.reveal(), config->appservice.hs_token.reveal());
  EXPECT_EQ(config->appservice.bind_address, "127.0.0.1");
  EXPECT_EQ(config->appservice.bind_port, 29340);
  EXPECT_FALSE(config->appservice.legacy_query_token);
  EXPECT_TRUE(config->admin_token.empty());
  EXPECT_TRUE(config->database.synapse.empty());
  EXPECT_EQ(config->database.schema, "steward");
  EXPECT_EQ(config->bot.localpart, "steward");
  EXPECT_EQ(config->bot.display_name, "Steward");
  EXPECT_EQ(config->bot.state_directory, folder_ + "/state");
  EXPECT_EQ(config->bot.socket, folder_ + "/state/control.sock");
  EXPECT_EQ(config->room.id, "");
  EXPECT_THAT(config->room.admins, ElementsAre(core::UserId("@alice:hs.test")));
  EXPECT_EQ(config->room.time_zone, "UTC");
  EXPECT_EQ(config->safety.max_level, 4);
  EXPECT_FALSE(config->safety.second_admin);
  EXPECT_DOUBLE_EQ(config->safety.share, 0.1);
  EXPECT_THAT(config->rooms.keep, IsEmpty());
  EXPECT_EQ(config->rooms.in_flight, 3);
  EXPECT_EQ(config->rooms.large, 10'000);
  EXPECT_EQ(config->keep.inbox_days, 30);
  EXPECT_EQ(config->keep.item_days, 90);
  EXPECT_EQ(config->keep.audit_days, 400);
  EXPECT_EQ(config->keep.file_days, 7);
  EXPECT_EQ(config->log_level, "info");
}

TEST_F(Settings, EveryKeyIsRead) {
  write("ca.pem", "x", 0644);
  const std::string yaml =
      "homeserver: {url: \"https://[::1]:8448\", media_url: \"http://media:8009\", server_name: hs.test, ca_file: "
      "ca.pem}\n"
      "appservice: {registration: registration.yaml, bind: \"[::1]:29341\", legacy_query_token: true}\n"
      "admin_token: mct_token\n"
      "database: {synapse: \"host=a dbname=b\", store: \"postgresql://u:p@h/d\", schema: keeper}\n"
      "bot: {localpart: steward, display_name: \"Keeper of Rooms\", state_directory: /var/lib/x, socket: /run/x.sock}\n"
      "room: {id: \"!room\", admins: [\"@alice:hs.test\", \"@bob:other.test\", \"@alice:hs.test\"], remote_allowed: "
      "[\"@bob:other.test\"], time_zone: Europe/Berlin}\n"
      "safety: {max_level: 0, second_admin: yes}\n"
      "limits: {share: 1}\n"
      "rooms: {keep: [\"!a:hs.test\", \"#b:hs.test\"], in_flight: 5, large: 500}\n"
      "keep: {inbox: 1d, items: 1d12h, audit: 10y, files: 2w}\n"
      "log: {level: debug}\n";
  const auto config = parsed(yaml);
  ASSERT_TRUE(config) << describe(config.error());
  EXPECT_EQ(config->homeserver.url, "https://[::1]:8448");
  EXPECT_EQ(config->homeserver.media_url, "http://media:8009");
  EXPECT_EQ(config->homeserver.ca_file, folder_ + "/ca.pem");
  EXPECT_EQ(config->appservice.bind_address, "::1");
  EXPECT_EQ(config->appservice.bind_port, 29341);
  EXPECT_TRUE(config->appservice.legacy_query_token);
  EXPECT_EQ(config->admin_token.reveal(), "mct_token");
  EXPECT_EQ(config->database.synapse.reveal(), "host=a dbname=b");
  EXPECT_EQ(config->database.store.reveal(), "postgresql://u:p@h/d");
  EXPECT_EQ(config->database.schema, "keeper");
  EXPECT_EQ(config->bot.display_name, "Keeper of Rooms");
  EXPECT_EQ(config->bot.state_directory, "/var/lib/x");
  EXPECT_EQ(config->bot.socket, "/run/x.sock");
  EXPECT_EQ(config->room.id, "!room");
  EXPECT_EQ(config->room.admins.size(), 2U);
  EXPECT_THAT(config->room.remote_allowed, ElementsAre(core::UserId("@bob:other.test")));
  EXPECT_EQ(config->room.time_zone, "Europe/Berlin");
  EXPECT_EQ(config->safety.max_level, 0);
  EXPECT_TRUE(config->safety.second_admin);
  EXPECT_DOUBLE_EQ(config->safety.share, 1.0);
  EXPECT_THAT(config->rooms.keep, ElementsAre("!a:hs.test", "#b:hs.test"));
  EXPECT_EQ(config->rooms.in_flight, 5);
  EXPECT_EQ(config->rooms.large, 500);
  EXPECT_EQ(config->keep.inbox_days, 1);
  EXPECT_EQ(config->keep.item_days, 2);
  EXPECT_EQ(config->keep.audit_days, 3650);
  EXPECT_EQ(config->keep.file_days, 14);
  EXPECT_EQ(config->log_level, "debug");
}

TEST_F(Settings, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"homserver: {url: x}\n", "line 10, 'homserver': unknown key; did you mean homeserver?"},
      {"keep:\n  inbx: 3d\n", "line 11, 'keep.inbx': unknown key; did you mean keep.inbox?"},
      {"max_level: 3\n", "line 10, 'max_level': unknown key; did you mean safety.max_level?"},
      {"frobnicate: 3\n", "unknown key; known here: "},
      {"keep:\n  frobnicate: 3\n", "known here: keep.inbox, keep.items, keep.audit, keep.files"},
      {"keep: 30d\n", "line 10, keep: expected keys and values below it, found a single value"},
      {"keep: {inbox: 30}\n", "line 10, keep.inbox: '30' is not a duration: it has no unit. Write 30d for 30 days"},
      {"keep: {inbox: 12h}\n", "keep.inbox: expected one day (1d) or more"},
      {"keep: {inbox: [30d]}\n", "keep.inbox: expected a duration like 30d, found a list"},
      {"safety: {max_level: 5}\n", "safety.max_level: 5 is out of range; expected 0 to 4"},
      {"safety: {max_level: -1}\n", "safety.max_level: -1 is out of range; expected 0 to 4"},
      {"safety: {max_level: high}\n", "line 10, safety.max_level: expected a whole number, found 'high'"},
      {"safety: {max_level: 3.5}\n", "safety.max_level: expected a whole number, found '3.5'"},
      {"safety: {max_level: 99999999999999999999}\n", "safety.max_level: expected a whole number"},
      {"safety: {second_admin: maybe}\n", "safety.second_admin: expected true or false, found 'maybe'"},
      {"limits: {share: 1.1}\n", "limits.share: 1.1 is out of range; expected 0 to 1"},
      {"limits: {share: nan}\n", "limits.share: expected a number like 0.1, found 'nan'"},
      {"limits: {share: 10%}\n", "limits.share: expected a number like 0.1, found '10%'"},
      {"rooms: {in_flight: 0}\n", "rooms.in_flight: 0 is out of range; expected 1 to 5"},
      {"rooms: {keep: \"!a:hs.test\"}\n", "rooms.keep: expected a list like [\"one\", \"two\"], found a single value"},
      {"rooms: {keep: [kitchen]}\n", "rooms.keep: 'kitchen' is neither a room id"},
      {"rooms:\n  keep:\n    - !a:hs.test\n", "need \"quotes\""},
      {"rooms:\n  keep:\n    - #a:hs.test\n", "need \"quotes\""},
      {"log: {level: warn}\n", "log.level: 'warn' is not one of debug, info, warning, error"},
      {"log: {level: Info}\n", "Did you mean info?"},
      {"database: {synapse: somewhere}\n", "database.synapse: expected \"postgresql://"},
      {"database: {schema: public}\n", "database.schema: 'public' belongs to Synapse or PostgreSQL"},
      {"database: {schema: \"x; drop\"}\n", "database.schema: expected a name of small letters"},
      {"admin_token: \"a b\"\n", "admin_token: holds a blank"},
      {"log: {level: debug}\nlog: {level: info}\n", "line 11, log.level: stands there twice"},
      {"log:\n  level: debug\n  level: info\n", "line 12, log.level: stands there twice"},
  };
  for (const auto& [more, problem] : table) {
    EXPECT_THAT(problems(good(more)), HasSubstr(problem)) << more;
  }
}

TEST_F(Settings, ChecksRequiredValues) {
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string yaml = good();
    yaml.replace(yaml.find(from), from.size(), to);
    return problems(yaml);
  };
  EXPECT_THAT(with("http://127.0.0.1:8008/", "hs.test"),
              HasSubstr("line 2, homeserver.url: expected \"https://host\""));
  EXPECT_THAT(with("http://127.0.0.1:8008/", "http://user:pw123@hs.test"),
              HasSubstr("must not hold a user or a password"));
  EXPECT_THAT(with("http://127.0.0.1:8008/", "http://user:pw123@hs.test"), Not(HasSubstr("pw123")));
  EXPECT_THAT(with("http://127.0.0.1:8008/", "http://hs.test?x=1"), HasSubstr("homeserver.url"));
  EXPECT_THAT(with("server_name: hs.test", "server_name: https://hs.test"), HasSubstr("is not a server name"));
  EXPECT_THAT(with("[\"@alice:hs.test\"]", "[]"), HasSubstr("room.admins: is empty"));
  EXPECT_THAT(with("[\"@alice:hs.test\"]", "[alice]"), HasSubstr("'alice' is not a user id"));
  EXPECT_THAT(with("[\"@alice:hs.test\"]", "[\"@alice:evil.org\"]"), HasSubstr("not a user of hs.test"));
  EXPECT_THAT(with("[\"@alice:hs.test\"]", "[\"@steward:hs.test\"]"), HasSubstr("the bot itself cannot be an admin"));
  EXPECT_THAT(with("[\"@alice:hs.test\"]", "[@alice:hs.test]"), HasSubstr("\"quotes\""));
  EXPECT_THAT(with("server_name: hs.test", "server_name: other.test"),
              HasSubstr("the settings say @steward:other.test"));
  EXPECT_THAT(with("registration.yaml", "nowhere.yaml"), HasSubstr("there is no file " + folder_ + "/nowhere.yaml"));
  EXPECT_THAT(with("registration.yaml", "."), HasSubstr("is a folder"));
  EXPECT_THAT(with("state_directory: state", "state_directory: " + std::string(200, 'x')),
              HasSubstr("set bot.socket to a shorter one"));
}

TEST_F(Settings, ListsAllProblemsAtOnce) {
  const auto config = parsed("homeserver: {url: x}\nlog: {level: loud}\nwhat: 1\n");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, core::Code::bad_input);
  for (const std::string key : {"homeserver.url", "homeserver.server_name: missing", "appservice.registration: missing",
                                "bot.state_directory: missing", "room.admins: missing", "log.level", "'what'"}) {
    EXPECT_THAT(config.error().why, HasSubstr(key));
  }
  EXPECT_EQ(std::count(config.error().why.begin(), config.error().why.end(), '\n'), 6);
  EXPECT_EQ(config.error().what, "the configuration has 7 problems");
}

TEST_F(Settings, BrokenYamlNamesTheLineAndNoSecret) {
  EXPECT_THAT(problems("homeserver:\n  url: [\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(problems("a: 1\nadmin_token: *hunter2hunter2\n"), HasSubstr("line 2"));
  EXPECT_THAT(problems("a: 1\nadmin_token: *hunter2hunter2\n"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(problems("\xff\xfe"), HasSubstr("UTF-8"));
  EXPECT_THAT(problems("- a\n- b\n"), HasSubstr("expected keys and values, found a list"));
  EXPECT_THAT(problems(""), HasSubstr("homeserver.url: missing"));
  EXPECT_THAT(problems(std::string(20000, '[')), Not(IsEmpty()));
}

TEST_F(Settings, HostileKeysAreCleaned) {
  const std::string text = problems(good("\"evil\\u202e\\nkey\": 1\n\"" + std::string(1000, 'x') + "\": 1\n"));
  EXPECT_THAT(text, HasSubstr("'evil key': unknown key"));
  EXPECT_THAT(text, Not(HasSubstr("\u202e")));
  EXPECT_LT(text.size(), 1000U);
}

TEST_F(Settings, SecretsComeFromFilesAndTheEnvironment) {
  write("token", "  mct_from_file\n", 0600);
  const auto from_file = parsed(good("admin_token_file: token\n"));
  ASSERT_TRUE(from_file) << describe(from_file.error());
  EXPECT_EQ(from_file->admin_token.reveal(), "mct_from_file");
  const auto from_both = parsed(good("admin_token_file: token\n"), {{"STEWARD_ADMIN_TOKEN", "mct_from_environment"},
                                                                    {"STEWARD_DATABASE_SYNAPSE", "dbname=synapse"}});
  ASSERT_TRUE(from_both) << describe(from_both.error());
  EXPECT_EQ(from_both->admin_token.reveal(), "mct_from_environment");
  EXPECT_EQ(from_both->database.synapse.reveal(), "dbname=synapse");
  EXPECT_THAT(problems(good("admin_token_file: token\nadmin_token: x\n")), HasSubstr("keep one of them"));
  EXPECT_THAT(problems(good("admin_token_file: nowhere\n")), HasSubstr("there is no file"));
  write("empty", "\n", 0600);
  EXPECT_THAT(problems(good("admin_token_file: empty\n")), HasSubstr("is empty"));
  EXPECT_THAT(problems(good(), {{"STEWARD_DATABASE_SYNAPSE", "hunter2hunter2"}}),
              HasSubstr("STEWARD_DATABASE_SYNAPSE: expected"));
  EXPECT_THAT(problems(good(), {{"STEWARD_DATABASE_SYNAPSE", "hunter2hunter2"}}), Not(HasSubstr("hunter2")));
}

TEST_F(Settings, SecretsThatOthersCanReadAreRefused) {
  for (const mode_t mode : {0640U, 0604U, 0644U}) {
    const std::string path = write("token", "mct_token", mode);
    const auto config = parsed(good("admin_token_file: token\n"));
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, core::Code::not_allowed);
    EXPECT_THAT(config.error().why, HasSubstr("run: chmod 600 " + path));
  }
  const std::string registration = folder_ + "/registration.yaml";
  ASSERT_EQ(chmod(registration.c_str(), 0644), 0);
  EXPECT_THAT(problems(good()), HasSubstr("run: chmod 640 " + registration));
}

TEST_F(Settings, LoadChecksTheFileItself) {
  const std::string open = write("steward.yaml", good("admin_token: mct_token\n"), 0644);
  const auto refused = load(open);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Code::not_allowed);
  EXPECT_THAT(refused.error().why, HasSubstr("run: chmod 640 " + open));
  ASSERT_EQ(chmod(open.c_str(), 0600), 0);
  const auto config = load(open);
  ASSERT_TRUE(config) << describe(config.error());
  EXPECT_EQ(config->path, open);
  EXPECT_EQ(config->admin_token.reveal(), "mct_token");
  EXPECT_TRUE(load(write("plain.yaml", good(), 0644)));
  const auto missing = load(folder_ + "/nowhere.yaml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, core::Code::not_found);
  EXPECT_THAT(missing.error().next, HasSubstr("steward setup"));
}

TEST_F(Settings, AReloadAppliesOnlySome) {
  const auto before = *parsed(good());
  const auto after = *parsed(good("log: {level: debug}\nappservice.bind: 127.0.0.1:1\nkeep: {files: 8d}\n"));
  const Difference difference = compare(before, after);
  EXPECT_THAT(difference.applied, ElementsAre("keep.files", "log.level"));
  EXPECT_THAT(difference.needs_restart, ElementsAre("appservice.bind"));
  write("registration.yaml", render_registration(new_registration("steward", "hs.test", "http://127.0.0.1:29340")),
        0640);
  EXPECT_THAT(compare(before, *parsed(good())).needs_restart, ElementsAre("appservice.registration"));
  EXPECT_THAT(compare(before, before).applied, IsEmpty());
}

TEST_F(Settings, TheExampleIsAGoodFile) {
  write("registration.yaml", render_registration(new_registration("steward", "example.org", "http://127.0.0.1:29340")),
        0640);
  const auto config = parsed(example_yaml());
  EXPECT_TRUE(config) << describe(config.error());
  std::string all = example_yaml();
  for (std::size_t at = 0; (at = all.find('#', at)) != std::string::npos; ++at) {
    if (all[at + 1] != ' ') all.erase(at, 1);
  }
  // With every commented setting switched on only the paths and the empty texts are missing.
  const std::string text = problems(all);
  EXPECT_THAT(text, Not(HasSubstr("unknown key")));
  EXPECT_THAT(text, Not(HasSubstr("YAML")));
  for (const Setting& setting : settings()) {
    EXPECT_THAT(manual(), HasSubstr("- `" + std::string(setting.key) + "` (")) << setting.key;
    const std::string name(setting.key.substr(setting.key.find('.') + 1));
    EXPECT_THAT(example_yaml(), HasSubstr(name + (setting.type == Type::secret ? "_file: " : ": "))) << setting.key;
    EXPECT_FALSE(setting.text.empty());
  }
}

TEST_F(Settings, OneDocumentIsRead) {
  EXPECT_THAT(problems("a: 1\n---\nb: 1\n"), HasSubstr("line 2: a second YAML document begins here"));
  EXPECT_THAT(problems("\"\"x\n? "), HasSubstr("line 1: a second YAML document"));  // endless for YAML::LoadAll
  EXPECT_THAT(problems("---\n" + good() + "...\n"), Not(HasSubstr("document")));
}

RC_GTEST_FIXTURE_PROP(Settings, NoTextBreaksTheReader, (const std::string& text)) {
  const auto config = parsed(good("rooms: {keep: [\"x\"]}\n" + text));
  RC_ASSERT(!config.has_value());
}

RC_GTEST_FIXTURE_PROP(Settings, NoYamlBreaksTheReader, ()) {
  const auto parts = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("homeserver", "room", "admins", "keep", ": ", "\n", "\n  ", "- ", "[", "]", "{",
                                    "}", "\"", "'", "!", "&a", "*a", "#", "? ", "|", "x", "30d", "<<"));
  std::string text;
  for (const std::string& part : parts) text += part;
  const auto config = parsed(text);
  RC_ASSERT(!config.has_value());
  RC_ASSERT(!config.error().why.empty());
}

}  // namespace
}  // namespace steward::config
