// Synapse's own configuration, read as Synapse reads it.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "app/homeserver_yaml.hpp"

namespace {

using namespace steward::app;
namespace fs = std::filesystem;

class HomeserverYamlTest : public testing::Test {
 protected:
  HomeserverYamlTest() : folder_(fs::temp_directory_path() / ("steward_yaml_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~HomeserverYamlTest() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  HomeserverYaml read(const std::string& text) {
    const auto result = read_homeserver_yaml({write("homeserver.yaml", "server_name: hs.test\n" + text)});
    EXPECT_TRUE(result.has_value()) << result.error().why;
    return result.value_or(HomeserverYaml{});
  }

  fs::path folder_;
};

TEST_F(HomeserverYamlTest, ReadsADebianServer) {
  const HomeserverYaml yaml = read(R"(
listeners:
  - port: 8008
    tls: false
    type: http
    x_forwarded: true
    bind_addresses: ['::1', '127.0.0.1']
    resources: [{names: [client, federation], compress: false}]
database:
  name: psycopg2
  args: {user: synapse, password: "se'c\\ret", dbname: synapse, host: localhost, port: 5433, cp_min: 5, cp_max: 10}
registration_shared_secret: "top"
app_service_config_files: [/etc/a.yaml, b.yaml]
signing_key_path: /etc/key
media_store_path: /var/media
)");
  EXPECT_EQ(yaml.server_name, "hs.test");
  EXPECT_EQ(yaml.client_urls, std::vector<std::string>{"http://127.0.0.1:8008"});
  EXPECT_EQ(yaml.engine, Engine::postgresql);
  EXPECT_EQ(yaml.database.reveal(), R"(user='synapse' password='se\'c\\ret' dbname='synapse' host='localhost' port='5433')");
  EXPECT_EQ(yaml.shared_secret.reveal(), "top");
  EXPECT_EQ(yaml.registrations, (std::vector<std::string>{"/etc/a.yaml", (folder_ / "b.yaml").string()}));
  EXPECT_EQ(yaml.signing_key, "/etc/key");
  EXPECT_EQ(yaml.media_store, "/var/media");
  EXPECT_FALSE(yaml.mas);
}

TEST_F(HomeserverYamlTest, DatabaseKeyOfOldPsycopgIsTheName) {
  const HomeserverYaml yaml = read("database: {name: psycopg2, args: {user: u, database: d, sslmode: require, password: null}}\n");
  EXPECT_EQ(yaml.database.reveal(), "user='u' dbname='d' sslmode='require'");
}

TEST_F(HomeserverYamlTest, OrdersListenersPlainSocketTls) {
  const HomeserverYaml yaml = read(R"(
listeners:
  - {port: 9000, type: metrics, bind_addresses: ['127.0.0.1']}
  - {port: 8448, type: http, tls: true, resources: [{names: [client, federation]}]}
  - {path: /run/synapse/main.sock, type: http, resources: [{names: [client]}]}
  - {port: 8009, type: http, resources: [{names: [federation]}]}
  - {port: 8010, type: http, bind_addresses: ['10.0.0.5'], resources: [{names: [federation]}, {names: [client]}]}
  - {port: 8011, type: http, bind_addresses: ['::'], resources: [{names: [client]}]}
  - {port: 8012, type: http, resources: [{names: [client]}]}
)");
  EXPECT_EQ(yaml.client_urls, (std::vector<std::string>{"http://10.0.0.5:8010", "http://[::1]:8011", "http://127.0.0.1:8012",
                                                         "unix:/run/synapse/main.sock", "https://127.0.0.1:8448"}));
}

TEST_F(HomeserverYamlTest, OnlyAUnixSocket) {
  const HomeserverYaml yaml = read("listeners: [{path: /run/s.sock, mode: 660, type: http, resources: [{names: [client]}]}]\n");
  EXPECT_EQ(yaml.client_urls, std::vector<std::string>{"unix:/run/s.sock"});
}

TEST_F(HomeserverYamlTest, NoListenerServesClients) {
  EXPECT_TRUE(read("listeners: [{port: 8448, type: http, tls: true, resources: [{names: [federation]}]}]\n").client_urls.empty());
  EXPECT_TRUE(read("pid_file: /x\n").client_urls.empty());
}

TEST_F(HomeserverYamlTest, LaterFilesReplaceWholeSections) {
  const std::string main = write("homeserver.yaml", "server_name: first\ndatabase: {name: sqlite3, args: {database: /x}}\n"
                                                    "app_service_config_files: [/one.yaml]\n");
  write("conf.d/10-name.yaml", "server_name: second\n");
  write("conf.d/20-database.yaml", "database: {name: psycopg2, args: {user: u}}\napp_service_config_files: [/two.yaml]\n");
  write("conf.d/30-name.yaml", "server_name: third\n");
  write("conf.d/99-not.yml", "server_name: ignored\n");
  write("conf.d/sub/40.yaml", "server_name: ignored\n");
  const auto yaml = read_homeserver_yaml({main});
  ASSERT_TRUE(yaml.has_value());
  EXPECT_EQ(yaml->server_name, "third");
  EXPECT_EQ(yaml->database.reveal(), "user='u'");
  EXPECT_EQ(yaml->registrations, std::vector<std::string>{"/two.yaml"});
  EXPECT_EQ(yaml->registrations_file, (folder_ / "conf.d/20-database.yaml").string());
  EXPECT_EQ(yaml->files.size(), 4U);
  // Named paths are taken in their order, and the conf.d beside is not read twice.
  const auto turned = read_homeserver_yaml({(folder_ / "conf.d").string(), main});
  ASSERT_TRUE(turned.has_value());
  EXPECT_EQ(turned->server_name, "first");
}

TEST_F(HomeserverYamlTest, SharedSecretFromAFile) {
  write("secret", "  from a file\n");
  EXPECT_EQ(read("registration_shared_secret_path: secret\n").shared_secret.reveal(), "from a file");
  const HomeserverYaml missing = read("registration_shared_secret_path: /nowhere/secret\n");
  EXPECT_TRUE(missing.shared_secret.empty());
  EXPECT_NE(missing.shared_secret_problem.find("/nowhere/secret"), std::string::npos);
}

TEST_F(HomeserverYamlTest, EnginesAndMas) {
  EXPECT_EQ(read("database: {name: sqlite3, args: {database: /x}}\n").engine, Engine::sqlite);
  EXPECT_EQ(read("database_path: /x\n").engine, Engine::sqlite);
  EXPECT_EQ(read("report_stats: false\n").engine, Engine::none);
  const HomeserverYaml split = read(R"(
databases:
  one: {name: psycopg2, data_stores: [main], args: {dbname: main}}
  two: {name: psycopg2, data_stores: [state], args: {dbname: state}}
)");
  EXPECT_EQ(split.engine, Engine::split);
  EXPECT_EQ(split.database.reveal(), "dbname='main'");
  EXPECT_TRUE(read("matrix_authentication_service: {enabled: true, secret: x}\n").mas);
}

TEST_F(HomeserverYamlTest, BadInputNamesTheFileAndNeverItsText) {
  const auto missing = read_homeserver_yaml({(folder_ / "nothing.yaml").string()});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, steward::core::Code::not_found);
  EXPECT_NE(missing.error().what.find("nothing.yaml"), std::string::npos);
  const auto broken = read_homeserver_yaml({write("broken.yaml", "a: 1\npassword: [se cret\n")});
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code, steward::core::Code::bad_input);
  EXPECT_EQ(describe(broken.error()).find("se cret"), std::string::npos);
  const auto nameless = read_homeserver_yaml({write("nameless.yaml", "pid_file: /x\n")});
  ASSERT_FALSE(nameless.has_value());
  EXPECT_NE(nameless.error().what.find("server_name"), std::string::npos);
}

TEST_F(HomeserverYamlTest, AnchorsAndDoubledKeys) {
  const HomeserverYaml yaml = read("rc: &off {per_second: 1}\nrc_message: *off\nregistration_shared_secret: a\nregistration_shared_secret: b\n");
  EXPECT_EQ(yaml.shared_secret.reveal(), "b");
}

TEST(RegistrationLines, KeepsWhatStandsThere) {
  EXPECT_EQ(registration_lines({}, "/new.yaml"), "app_service_config_files:\n  - \"/new.yaml\"\n");
  EXPECT_EQ(registration_lines({"/old.yaml", "/new.yaml"}, "/new.yaml"), "app_service_config_files:\n  - \"/old.yaml\"\n  - \"/new.yaml\"\n");
}

// Undoes the quoting as libpq's conninfo_parse does.
std::string unquoted(const std::string& text) {
  std::string value;
  std::size_t at = text.find('\'') + 1;
  for (; at < text.size() && text[at] != '\''; ++at) {
    if (text[at] == '\\') ++at;
    value += text[at];
  }
  EXPECT_EQ(at, text.size() - 1);
  return value;
}

RC_GTEST_PROP(ConnectionString, AnyPasswordSurvives, ()) {
  const std::string password = *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab'\\ =\"\n$"))));
  RC_ASSERT(unquoted(connection_string({{"password", password}})) == password);
}

}  // namespace
