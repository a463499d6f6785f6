// What setup decides to write, and when it keeps its hands off.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "app/check_report.hpp"
#include "app/setup_plan.hpp"
#include "config/config.hpp"

namespace {

using namespace steward;
using namespace steward::app;
namespace fs = std::filesystem;

HomeserverYaml server() {
  HomeserverYaml yaml;
  yaml.files = {"/etc/homeserver.yaml"};
  yaml.server_name = "hs.test";
  yaml.client_urls = {"http://127.0.0.1:8008"};
  yaml.engine = Engine::postgresql;
  yaml.database = core::Secret("dbname='synapse' password='pass'");
  return yaml;
}

SetupOptions flags() {
  SetupOptions options;
  options.config = "/opt/steward/steward.yaml";
  options.admins = {"@alice:hs.test"};
  return options;
}

bool mentions(const std::vector<std::string>& lines, std::string_view text) {
  for (const std::string& line : lines) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

TEST(SetupPlan, TakesAllFromHomeserverYaml) {
  const HomeserverYaml yaml = server();
  const auto plan = make_plan(flags(), {}, &yaml);
  ASSERT_TRUE(plan.has_value()) << plan.error().why;
  EXPECT_EQ(plan->synapse_url, "http://127.0.0.1:8008");
  EXPECT_EQ(plan->bind, "127.0.0.1:29340");
  EXPECT_EQ(plan->bot_url, "http://127.0.0.1:29340");
  EXPECT_EQ(plan->registration_path, "/opt/steward/registration.yaml");
  EXPECT_EQ(plan->registration_path_in_synapse, plan->registration_path);
  EXPECT_EQ(plan->state_directory, "/opt/steward/state");
  EXPECT_EQ(plan->chat_user().str(), "@steward:hs.test");
  EXPECT_EQ(plan->database.reveal(), "dbname='synapse' password='pass'");
  EXPECT_TRUE(mentions(plan->allow_from, "127.0.0.1/32"));
}

TEST(SetupPlan, NamesEveryMissingFlag) {
  SetupOptions options = flags();
  options.admins.clear();
  const auto plan = make_plan(options, {}, nullptr);
  ASSERT_FALSE(plan.has_value());
  for (const char* flag : {"--server-name", "--synapse-url", "--admin"}) {
    EXPECT_NE(plan.error().why.find(flag), std::string::npos) << flag;
  }
}

TEST(SetupPlan, RefusesWrongFlags) {
  const HomeserverYaml yaml = server();
  struct Case { const char* flag; void (*change)(SetupOptions&); };
  const Case cases[] = {
      {"--admin", [](SetupOptions& o) { o.admins = {"alice"}; }},
      {"--admin", [](SetupOptions& o) { o.admins = {"@steward:hs.test"}; }},
      {"--bind", [](SetupOptions& o) { o.bind = "nonsense"; }},
      {"--bind", [](SetupOptions& o) { o.bind = "127.0.0.1:70000"; }},
      {"--bind", [](SetupOptions& o) { o.bind = "::1:29340"; }},
      {"--bot-url", [](SetupOptions& o) { o.bot_url = "steward:29340"; }},
      {"--localpart", [](SetupOptions& o) { o.localpart = "Steward!"; }},
      {"--server-name", [](SetupOptions& o) { o.server_name = "a b"; }},
  };
  for (const Case& wrong : cases) {
    SetupOptions options = flags();
    wrong.change(options);
    const auto plan = make_plan(options, {}, &yaml);
    ASSERT_FALSE(plan.has_value()) << wrong.flag;
    EXPECT_NE(plan.error().why.find(wrong.flag), std::string::npos) << plan.error().why;
  }
}

TEST(SetupPlan, ContainersByFlagsAlone) {
  SetupOptions options = flags();
  options.server_name = "hs.test";
  options.synapse_url = "http://synapse:8008";
  options.bot_url = "http://steward:29340";
  options.bind = "0.0.0.0:29340";
  options.registration_path_in_synapse = "/data/steward.yaml";
  options.database = "host=db dbname=synapse";
  const auto plan = make_plan(options, {}, nullptr);
  ASSERT_TRUE(plan.has_value()) << plan.error().why;
  EXPECT_EQ(plan->bot_url, "http://steward:29340");
  EXPECT_EQ(plan->registration_path_in_synapse, "/data/steward.yaml");
  EXPECT_TRUE(plan->allow_from.empty());  // its address inside the container network is unknown
}

TEST(SetupPlan, LoopbackRangesNeedALoopbackHost) {
  EXPECT_FALSE(loopback_ranges("http://127.0.0.1:8008").empty());
  EXPECT_FALSE(loopback_ranges("http://[::1]:8008").empty());
  EXPECT_FALSE(loopback_ranges("http://localhost").empty());
  EXPECT_TRUE(loopback_ranges("http://localhost.example:8008").empty());
  EXPECT_TRUE(loopback_ranges("https://matrix.example.org").empty());
  EXPECT_EQ(loopback_ranges("unix:/run/synapse/main.sock"), std::vector<std::string>{"127.0.0.1/32"});
}

class SetupConfigTest : public testing::Test {
 protected:
  SetupConfigTest() : folder_(fs::temp_directory_path() / ("steward_plan_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    options_ = flags();
    options_.config = (folder_ / "steward.yaml").string();
  }
  ~SetupConfigTest() override { fs::remove_all(folder_); }

  void write(const std::string& text) { std::ofstream(options_.config) << text; }
  SetupPlan plan() {
    const auto present = read_present_config(options_.config);
    EXPECT_TRUE(present.has_value());
    present_ = present.value_or(PresentConfig{});
    const auto made = make_plan(options_, present_, &yaml_);
    EXPECT_TRUE(made.has_value()) << made.error().why;
    return made.value_or(SetupPlan{});
  }

  fs::path folder_;
  SetupOptions options_;
  HomeserverYaml yaml_ = server();
  PresentConfig present_;
};

TEST_F(SetupConfigTest, WhatItWritesIsAValidConfig) {
  yaml_.database = core::Secret("password='a \"quoted\" \\'one\\' #x: y'");
  const SetupPlan made = plan();
  std::vector<std::string> changes;
  std::ofstream(made.registration_path) << render_registration(registration_for(made, nullptr, options_, false, changes));
  fs::create_directories(made.state_directory);
  write(render_config(made));
  fs::permissions(options_.config, fs::perms::owner_read | fs::perms::owner_write);
  fs::permissions(made.registration_path, fs::perms::owner_read | fs::perms::owner_write);
  const auto config = config::load(options_.config);
  ASSERT_TRUE(config.has_value()) << config.error().why;
  EXPECT_EQ(config->database.synapse.reveal(), yaml_.database.reveal());
  EXPECT_EQ(config->room.admins, std::vector<core::UserId>{core::UserId("@alice:hs.test")});
  EXPECT_EQ(config->appservice.bind_port, 29340);
}

TEST_F(SetupConfigTest, SecondRunChangesNothing) {
  const std::string first = render_config(plan());
  write(first);
  EXPECT_EQ(render_config(plan()), first);
  EXPECT_FALSE(present_.edited);
  options_.admins.clear();  // and needs no flags any more
  EXPECT_EQ(render_config(plan()), first);
}

TEST_F(SetupConfigTest, AnUntouchedFileTakesNewFlags) {
  write(render_config(plan()));
  options_.localpart = "caretaker";
  EXPECT_EQ(plan().localpart, "caretaker");
}

TEST_F(SetupConfigTest, AnEditedFileWins) {
  write(render_config(plan()) + "safety:\n  max_level: 1\n");
  options_.localpart = "caretaker";
  const SetupPlan made = plan();
  EXPECT_TRUE(present_.edited);
  EXPECT_EQ(made.localpart, "steward");
  EXPECT_TRUE(mentions(made.notes, "--localpart"));
  EXPECT_TRUE(made.missing.empty());
}

TEST_F(SetupConfigTest, SaysWhatAnEditedFileLacks) {
  write("homeserver: {server_name: hs.test, url: 'http://127.0.0.1:8008'}\n");
  const SetupPlan made = plan();
  EXPECT_TRUE(mentions(made.missing, "database.synapse"));
  EXPECT_TRUE(mentions(made.missing, "room.admins"));
  EXPECT_FALSE(mentions(made.missing, "pass"));  // never the connection string
  write("homeserver: {server_name: hs.test, url: 'http://127.0.0.1:8008'}\ndatabase: {synapse_file: /x}\n");
  EXPECT_FALSE(mentions(plan().missing, "database.synapse"));
}

TEST_F(SetupConfigTest, RegistrationKeepsItsTokens) {
  const SetupPlan made = plan();
  std::vector<std::string> changes;
  const auto first = registration_for(made, nullptr, options_, false, changes);
  EXPECT_EQ(first.users.front().regex, R"(^@steward:hs\.test$)");
  EXPECT_FALSE(first.rate_limited);
  const auto same = registration_for(made, &first, options_, false, changes);
  EXPECT_TRUE(changes.empty());
  SetupPlan moved = made;
  moved.localpart = "caretaker";
  moved.bot_url = "http://elsewhere:1";
  const auto renamed = registration_for(moved, &first, options_, false, changes);
  EXPECT_EQ(changes, std::vector<std::string>{"namespaces.users"});  // the address was not given: the old one stands
  EXPECT_EQ(renamed.as_token.reveal(), first.as_token.reveal());
  EXPECT_EQ(renamed.url, first.url);
  changes.clear();
  EXPECT_EQ(registration_for(moved, &first, options_, true, changes).url, "http://elsewhere:1");
}

// ---- the templates at the root of the source tree ---------------------------------------------------------------------

std::string file_text(const std::string& name) {
  std::ifstream file(fs::path(STEWARD_SOURCE_DIR) / name);
  EXPECT_TRUE(file.is_open()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Templates, AreWhatTheProgramWrites) {
  EXPECT_EQ(file_text("steward.example.yaml"), config::example_yaml());
  const std::string text = file_text("registration.yaml");
  const auto registration = config::parse_registration(text);
  ASSERT_TRUE(registration.has_value()) << registration.error().why;
  EXPECT_TRUE(text.ends_with(config::render_registration(*registration)));
  EXPECT_EQ(registration->users.front().regex, config::exact_user_regex("steward", "example.org"));
}

// ---- the doctor's judgement of other registrations -------------------------------------------------------------------

std::vector<Finding> judged(const std::string& users) {
  config::Config config;
  config.homeserver.server_name = "hs.test";
  config.appservice.id = "synapse-steward";
  config.appservice.sender_localpart = "_steward_as";
  config.bot.localpart = "steward";
  config.room.admins = {core::UserId("@alice:hs.test")};
  Report report;
  judge_registration(report, config, "/etc/bridge.yaml", "id: bridge\nnamespaces:\n  users: " + users + "\n");
  return report.findings();
}

TEST(Registrations, AWideNamespaceIsNamed) {
  const auto all = judged("[{regex: '@.*', exclusive: false}]");
  ASSERT_EQ(all.size(), 3U);  // both of the bot's users, and the admin
  EXPECT_EQ(all[0].verdict, Verdict::fail);
  EXPECT_EQ(all[2].verdict, Verdict::warn);
  EXPECT_NE(all[2].what.find("@alice:hs.test"), std::string::npos);
}

TEST(Registrations, MatchesAsSynapseDoes) {
  EXPECT_EQ(judged("[{regex: '@ali', exclusive: true}]").size(), 1U);   // a prefix is enough
  EXPECT_TRUE(judged("[{regex: 'alice', exclusive: true}]").empty());   // but from the start
  EXPECT_TRUE(judged("[{regex: '@irc_.*:hs\\.test', exclusive: true}]").empty());
  EXPECT_TRUE(judged("[]").empty());
}

TEST(Registrations, WhatCannotBeJudgedIsSaid) {
  const auto odd = judged("[{regex: '(?P<name>@.*)', exclusive: true}]");
  ASSERT_EQ(odd.size(), 1U);
  EXPECT_EQ(odd.front().verdict, Verdict::warn);
}

TEST(Doctor, OneLineEach) {
  EXPECT_EQ(to_line({Verdict::ok, "fine", ""}), "ok    fine");
  EXPECT_EQ(to_line({Verdict::fail, "a\nb", "do\nthis"}), "FAIL  a; b — do; this");
  EXPECT_EQ(to_line({Verdict::warn, "postgresql://u:hunter2@h/d", "x"}).find("hunter2"), std::string::npos);
}

}  // namespace
