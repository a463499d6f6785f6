// steward-host over its real socket: who may ask, what may be asked, one stop in ten minutes, the window that ends by itself, starts
// that fail or hang, and an upgrade that fails at each of its steps. Synapse is a file that a small HTTP server reads here; the real
// one is in tests/e2e/test_host.py.
#include <gmock/gmock.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "../support/run.hpp"
#include "async/tasks.hpp"
#include "host/client.hpp"
#include "host/environment.hpp"
#include "host/server.hpp"
#include "http/server.hpp"

namespace steward::host {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = Ending::Kind;

class HostTest : public testing::Test {
 protected:
  HostTest() : folder("/tmp/steward-host-test-" + std::to_string(getpid())) {
    fs::remove_all(folder);
    fs::create_directories(folder / "built");
    environment(folder / "old", "1.150.0", 93, 84);
    environment(folder / "made/1.163.2", "1.163.2", 94, 84);
    fs::create_symlink(folder / "old", folder / "link");
    write(folder / "up", "1.150.0");
    auto answer = [this](http::Request request) -> boost::asio::awaitable<http::Response> { co_return this->answer(request); };
    auto listening = http::Server::listen(io.get_executor(), http::ServerOptions(), {}, std::move(answer));
    synapse = std::move(*listening);
    synapse->start();

    settings.socket = folder / "host.sock";
    settings.log = folder / "host.log";
    settings.state = folder / "state";
    settings.allowed = geteuid();
    settings.synapse_url = "http://127.0.0.1:" + std::to_string(synapse->port());
    settings.process = "no process has this argument";
    settings.start_limit = std::chrono::seconds(1);
    settings.actions[Verb::stop] = {"/bin/rm", "-f", folder / "up"};
    settings.actions[Verb::start] = {"/bin/cp", folder / "link/version", folder / "up"};
    settings.link = folder / "link";
    settings.environments = folder / "built";
    settings.create = {"/bin/cp", "-a", folder / "made/{version}", "{environment}"};
    settings.install = {"/bin/true"};
  }
  ~HostTest() override { fs::remove_all(folder); }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void environment(const fs::path& path, const std::string& version, int schema, int compat) {
    const fs::path packages = path / "lib/python3.11/site-packages";
    fs::create_directories(packages / "synapse/storage/schema");
    fs::create_directories(packages / ("matrix_synapse-" + version + ".dist-info"));
    write(packages / "synapse/storage/schema/__init__.py",
          "SCHEMA_VERSION = " + std::to_string(schema) + "  # remember\n\nSCHEMA_COMPAT_VERSION = (\n    # why\n    " + std::to_string(compat) + "\n)\n");
    write(path / "version", version);
  }
  http::Response answer(const http::Request& request) const {
    http::Response response;
    response.status = fs::exists(folder / "up") ? 200 : 503;
    if (request.target.find("server_version") != std::string::npos) response.body = R"({"server_version":")" + read(folder / "up") + "\"}";
    return response;
  }
  void listen() {
    auto listening = Server::listen(io.get_executor(), settings);
    ASSERT_TRUE(listening) << core::describe(listening.error());
    server = std::move(*listening);
    boost::asio::co_spawn(io, server->run(), boost::asio::detached);
    // Until it has looked for an upgrade to finish.
    test::run(io, async::sleep_for(std::chrono::milliseconds(20)));
  }
  core::Result<Reply> try_to_ask(Verb verb, std::string version = {}) {
    Client client(io.get_executor(), settings.socket);
    Request request{.verb = verb, .version = std::move(version)};
    return test::run(io, client.ask(std::move(request)));
  }
  Reply ask(Verb verb, std::string version = {}) {
    if (!server) listen();
    auto reply = try_to_ask(verb, std::move(version));
    EXPECT_TRUE(reply) << core::describe(reply.error());
    return reply ? *reply : Reply();
  }
  std::string link() const { return target_of(settings.link); }

  boost::asio::io_context io{1};
  fs::path folder;
  Settings settings;
  std::unique_ptr<http::Server> synapse;
  std::unique_ptr<Server> server;
};

TEST(HostRequest, OnlyItsWords) {
  for (const char* good : {"stop", "start", "restart", "backup", "disk", "dump", "state", "upgrade 1.163.2"}) EXPECT_TRUE(read_request(good)) << good;
  for (const char* bad : {"", "Stop", "stop ", "stop now", "upgrade", "upgrade ", "upgrade latest", "upgrade 1", "upgrade 1.2.3rc1", "upgrade ../../etc", "upgrade 1.2 3",
                          "upgrade 1..2", "upgrade 1.2.", "upgrade -1.2", "upgrade 1.2;id", "upgrade 1.2\t", "upgrade 1.2.3.4.5", "reboot"})
    EXPECT_FALSE(read_request(bad)) << bad;
}

TEST(HostSettings, AreStrict) {
  const std::string good = "socket: /run/h.sock\nlog: /var/log/h\nstate: /var/lib/h\nallow: root\nsynapse_url: http://127.0.0.1:8008\n"
                           "actions:\n  stop: [/bin/systemctl, stop, x]\n  start: [/bin/systemctl, start, x]\n";
  const auto settings = parse_settings(good);
  ASSERT_TRUE(settings) << core::describe(settings.error());
  EXPECT_EQ(settings->actions.at(Verb::stop), (Words{"/bin/systemctl", "stop", "x"}));
  EXPECT_EQ(settings->stop_every, std::chrono::minutes(10));
  for (const char* more : {"typo: 1\n", "window: soon\n", "dumps: relative\n", "upgrade: {link: /a}\n", "upgrade: 5\n"}) EXPECT_FALSE(parse_settings(good + more)) << more;
  for (const char* actions : {"{stop: [systemctl, stop], start: [/a]}", "{stop: /bin/systemctl stop x, start: [/a]}", "{stop: [/a]}", "{stop: [], start: [/a]}", "{stop: [/a, [b]], start: [/a]}"})
    EXPECT_FALSE(parse_settings(good.substr(0, good.find("actions")) + "actions: " + actions)) << actions;
  EXPECT_FALSE(parse_settings(""));
  EXPECT_FALSE(parse_settings("a: [b"));
}

TEST_F(HostTest, AFileThatOthersMayWriteIsRefused) {
  const fs::path path = folder / "host.yaml";
  write(path, "socket: /run/h.sock\nlog: /l\nstate: /s\nallow: root\nsynapse_url: http://127.0.0.1:8008\n");
  fs::permissions(folder, fs::perms::owner_all);
  fs::permissions(path, fs::perms(0600));
  EXPECT_TRUE(read_settings(path));
  fs::permissions(path, fs::perms(0620));
  EXPECT_FALSE(read_settings(path));
  fs::permissions(path, fs::perms(0600));
  fs::permissions(folder, fs::perms(0770));
  EXPECT_FALSE(read_settings(path)) << "who may write the folder may replace the file";
}

TEST_F(HostTest, AnotherAccountIsTurnedAway) {
  settings.allowed = geteuid() + 1;
  listen();
  const auto reply = try_to_ask(Verb::state);
  ASSERT_FALSE(reply);
  EXPECT_THAT(read(settings.log), HasSubstr("turned away process " + std::to_string(getpid())));
}

TEST_F(HostTest, WhatIsNotConfiguredIsNamed) {
  settings.actions.clear();
  settings.link.clear();
  for (const Verb verb : {Verb::stop, Verb::start, Verb::restart, Verb::backup, Verb::disk, Verb::upgrade, Verb::dump}) {
    const Reply reply = ask(verb, verb == Verb::upgrade ? "1.163.2" : "");
    EXPECT_EQ(reply.ending.kind, Kind::refused) << name(verb);
    EXPECT_THAT(reply.ending.text, HasSubstr("is not set in host.yaml")) << name(verb);
  }
}

TEST_F(HostTest, OneStopInTenMinutesAlsoAfterARestartOfTheProgram) {
  EXPECT_EQ(ask(Verb::stop).ending.kind, Kind::done);
  EXPECT_FALSE(fs::exists(folder / "up"));
  EXPECT_EQ(ask(Verb::start).ending.text, "Synapse 1.150.0 answers");
  EXPECT_EQ(ask(Verb::stop).ending.kind, Kind::refused);
  EXPECT_EQ(ask(Verb::restart).ending.kind, Kind::refused);
  EXPECT_EQ(ask(Verb::upgrade, "1.163.2").ending.kind, Kind::refused);
  server->stop();
  test::run(io, async::sleep_for(std::chrono::milliseconds(200)));
  server.reset();
  const Reply reply = ask(Verb::stop);
  EXPECT_EQ(reply.ending.kind, Kind::refused);
  EXPECT_THAT(reply.ending.text, HasSubstr("one stop in 10 min"));
  EXPECT_TRUE(fs::exists(folder / "up"));
}

TEST_F(HostTest, TheWindowEndsByItself) {
  settings.window = std::chrono::seconds(1);
  EXPECT_EQ(ask(Verb::stop).ending.kind, Kind::done);
  test::run(io, async::sleep_for(std::chrono::milliseconds(4000)));
  EXPECT_TRUE(fs::exists(folder / "up"));
  EXPECT_THAT(read(settings.log), HasSubstr("the window is over"));
}

TEST_F(HostTest, AStartThatFailsOrHangsIsTold) {
  settings.stop_every = std::chrono::seconds(0);
  settings.actions[Verb::start] = {"/bin/ls", "/nowhere"};
  Reply reply = ask(Verb::restart);
  EXPECT_EQ(reply.ending.kind, Kind::failed);
  EXPECT_THAT(reply.ending.text, HasSubstr("ended with 2"));
  EXPECT_THAT(reply.ending.text, HasSubstr("/nowhere"));
  server.reset();
  settings.actions[Verb::start] = {"/bin/sleep", "1000"};
  reply = ask(Verb::start);
  EXPECT_THAT(reply.ending.text, HasSubstr("hangs"));
  server.reset();
  settings.actions[Verb::start] = {"/bin/true"};
  EXPECT_THAT(ask(Verb::start).ending.text, HasSubstr("no process of Synapse"));
}

TEST_F(HostTest, OneAtATimeAndTheStateIsToldMeanwhile) {
  settings.actions[Verb::backup] = {"/bin/sleep", "1"};
  listen();
  boost::asio::co_spawn(io, [this]() -> boost::asio::awaitable<void> {
    Client client(io.get_executor(), settings.socket);
    Request request{.verb = Verb::backup};
    co_await client.ask(std::move(request));
  }, boost::asio::detached);
  test::run(io, async::sleep_for(std::chrono::milliseconds(200)));
  EXPECT_THAT(ask(Verb::stop).ending.text, HasSubstr("Busy: backup"));
  EXPECT_EQ(ask(Verb::state).value("working"), "backup");
  EXPECT_EQ(ask(Verb::state).value("installed"), "1.150.0");
  EXPECT_EQ(ask(Verb::state).value("schema"), "93");
  test::run(io, async::sleep_for(std::chrono::milliseconds(1500)));
  EXPECT_THAT(ask(Verb::state).value("last_ending"), HasSubstr("done The backup took"));
}

TEST_F(HostTest, DiskFiguresAndThoseThatCannotBeRead) {
  settings.actions[Verb::disk] = {"/bin/df", "-B1", "--output=size,avail,target", "/"};
  const Reply reply = ask(Verb::disk);
  EXPECT_EQ(reply.ending.kind, Kind::done);
  ASSERT_EQ(reply.lines.size(), 2U);
  server.reset();
  settings.actions[Verb::disk] = {"/bin/df", "/nowhere"};
  const Reply none = ask(Verb::disk);
  EXPECT_EQ(none.ending.kind, Kind::failed);
  EXPECT_THAT(none.ending.text, HasSubstr("cannot be read"));
}

TEST_F(HostTest, TheNewestDumpByItsHead) {
  settings.dumps = folder / "dumps";
  EXPECT_EQ(ask(Verb::dump).ending.kind, Kind::failed);
  fs::create_directories(settings.dumps);
  EXPECT_THAT(ask(Verb::dump).ending.text, HasSubstr("no dump"));
  write(fs::path(settings.dumps) / "a.dump", "PGDMP\x01\x0e");
  write(fs::path(settings.dumps) / ".b.part", "half");
  Reply reply = ask(Verb::dump);
  EXPECT_EQ(reply.value("name"), "a.dump");
  EXPECT_EQ(reply.value("kind"), "pg_dump custom format");
  EXPECT_EQ(reply.value("bytes"), "7");
  EXPECT_EQ(dump_kind("\x1f\x8b\x08"), "gzip");
  EXPECT_EQ(dump_kind("--\n-- PostgreSQL database dump\n--\n"), "plain SQL");
  EXPECT_EQ(dump_kind("<html>"), "");
}

TEST_F(HostTest, AnUpgradeAndWhatIsSaidOfIt) {
  const Reply reply = ask(Verb::upgrade, "1.163.2");
  EXPECT_EQ(reply.ending.kind, Kind::done) << reply.ending.text;
  EXPECT_EQ(link(), folder / "built/1.163.2");
  EXPECT_EQ(read(folder / "up"), "1.163.2");
  EXPECT_THAT(reply.lines, Contains(HasSubstr("Way back: 1.150.0 can open")));
  EXPECT_EQ(ask(Verb::upgrade, "1.150.0").ending.kind, Kind::refused) << "older than the installed one";
  EXPECT_EQ(ask(Verb::upgrade, "1.163.2").ending.kind, Kind::refused) << "installed already";
}

TEST_F(HostTest, NothingIsTouchedWhenTheBuildFails) {
  settings.install = {"/bin/ls", "/no-package"};
  const Reply reply = ask(Verb::upgrade, "1.163.2");
  EXPECT_EQ(reply.ending.kind, Kind::failed);
  EXPECT_THAT(reply.ending.text, HasSubstr("Synapse was not touched and 1.150.0 runs on"));
  EXPECT_EQ(link(), folder / "old");
  EXPECT_EQ(read(folder / "up"), "1.150.0");
  EXPECT_EQ(ask(Verb::state).value("no_stop"), "") << "no stop is used up";
}

TEST_F(HostTest, AWrongPackageIsSeenBeforeTheStop) {
  fs::remove_all(folder / "made/1.163.2");
  environment(folder / "made/1.163.2", "1.141.0", 92, 84);
  EXPECT_THAT(ask(Verb::upgrade, "1.163.2").ending.text, HasSubstr("1.141.0 was installed, not 1.163.2"));
  EXPECT_EQ(read(folder / "up"), "1.150.0");
}

TEST_F(HostTest, AConfigurationThatDoesNotFitIsSeenBeforeTheStop) {
  settings.check = {"/bin/ls", "{environment}/no-{version}"};
  const Reply reply = ask(Verb::upgrade, "1.163.2");
  EXPECT_THAT(reply.ending.text, HasSubstr("the configuration does not fit 1.163.2"));
  EXPECT_THAT(reply.ending.text, HasSubstr("built/1.163.2/no-1.163.2"));
  EXPECT_EQ(read(folder / "up"), "1.150.0");
  EXPECT_EQ(link(), folder / "old");
}

TEST_F(HostTest, AServerThatDoesNotStartIsRolledBack) {
  fs::remove(folder / "made/1.163.2/version");  // cp fails, and works again with the old environment
  const Reply reply = ask(Verb::upgrade, "1.163.2");
  EXPECT_EQ(reply.ending.kind, Kind::failed);
  EXPECT_THAT(reply.ending.text, HasSubstr("Rolled back: Synapse 1.150.0 runs again"));
  EXPECT_EQ(link(), folder / "old");
  EXPECT_EQ(read(folder / "up"), "1.150.0");
}

TEST_F(HostTest, AServerOfAnotherVersionIsRolledBack) {
  write(folder / "made/1.163.2/version", "1.150.0");
  const Reply reply = ask(Verb::upgrade, "1.163.2");
  EXPECT_THAT(reply.ending.text, HasSubstr("the server says it is 1.150.0"));
  EXPECT_EQ(link(), folder / "old");
}

TEST_F(HostTest, NoWayBackIsRefusedWithoutAFreshDump) {
  fs::remove_all(folder / "made/1.163.2");
  environment(folder / "made/1.163.2", "1.163.2", 96, 94);  // a database that 1.150 (93) cannot open
  settings.dumps = folder / "dumps";
  fs::create_directories(settings.dumps);
  Reply reply = ask(Verb::upgrade, "1.163.2");
  EXPECT_EQ(reply.ending.kind, Kind::refused);
  EXPECT_THAT(reply.ending.text, HasSubstr("No way back without a dump"));
  const fs::path dump = fs::path(settings.dumps) / "synapse.dump";
  write(dump, "PGDMP");
  fs::last_write_time(dump, fs::file_time_type::clock::now() - std::chrono::hours(25));
  EXPECT_THAT(ask(Verb::upgrade, "1.163.2").ending.text, HasSubstr("older than a day"));
  EXPECT_EQ(read(folder / "up"), "1.150.0");
  EXPECT_EQ(link(), folder / "old");
  fs::last_write_time(dump, fs::file_time_type::clock::now());
  EXPECT_EQ(ask(Verb::upgrade, "1.163.2").ending.kind, Kind::done);
}

TEST_F(HostTest, AnUpgradeGoesOnAfterACrash) {
  fs::create_directories(settings.state);
  fs::copy(folder / "made/1.163.2", folder / "built/1.163.2", fs::copy_options::recursive);
  write(fs::path(settings.state) / "upgrade", "1.163.2 " + (folder / "old").string());
  fs::remove(folder / "up");
  ASSERT_TRUE(switch_link(settings.link, folder / "built/1.163.2"));
  listen();
  test::run(io, async::sleep_for(std::chrono::milliseconds(1500)));
  EXPECT_EQ(read(folder / "up"), "1.163.2");
  EXPECT_FALSE(fs::exists(fs::path(settings.state) / "upgrade"));
}

TEST(HostEnvironment, VersionsByTheirNumbers) {
  EXPECT_LT(compare_versions("1.99.0", "1.163.2"), 0);
  EXPECT_EQ(compare_versions("1.163", "1.163.0"), 0);
  EXPECT_GT(compare_versions("2.0", "1.999.9"), 0);
}

}  // namespace
}  // namespace steward::host
