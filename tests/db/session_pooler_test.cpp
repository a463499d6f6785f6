// A real pgbouncer in transaction mode between the session and PostgreSQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "db/session.hpp"

namespace steward::db {
namespace {

using core::Code;

const char* pgbouncer_program() {
  for (const char* path : {"/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"})
    if (::access(path, X_OK) == 0) return path;
  return nullptr;
}

std::string free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return std::to_string(ntohs(address.sin_port));
}

class PgBouncer {
 public:
  PgBouncer(const test::TestDatabase& database, const std::string& more) : port_(free_port()) {
    char folder[] = "/tmp/steward-pgbouncer-XXXXXX";
    folder_ = ::mkdtemp(folder);
    ::chmod(folder, 0755);
    std::ofstream(folder_ + "/pgbouncer.ini") << "[databases]\n* = " << test::with_parameters(database.connection(), {})
                                              << "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " << port_
                                              << "\nauth_type = any\npool_mode = transaction\nunix_socket_dir =\n"
                                              << more << "\n";
    child_ = ::fork();
    if (child_ == 0) {
      const std::string ini = folder_ + "/pgbouncer.ini";
      if (::geteuid() == 0)
        ::execl(pgbouncer_program(), "pgbouncer", "-q", "-u", "nobody", ini.c_str(), nullptr);
      else
        ::execl(pgbouncer_program(), "pgbouncer", "-q", ini.c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~PgBouncer() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  const std::string& port() const { return port_; }

 private:
  std::string port_, folder_;
  pid_t child_ = -1;
};

class SessionPooler : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    if (!pgbouncer_program()) GTEST_SKIP() << "pgbouncer is not installed";
    database.emplace();
    bouncer.emplace(*database, GetParam());
  }
  SessionOptions options() {
    SessionOptions given;
    given.name = "test";
    given.connection = core::Secret(database->connection({{"host", "127.0.0.1"}, {"port", bouncer->port()}}));
    return given;
  }
  core::Result<void> connect(Session& session) {
    core::Result<void> connected;
    for (int i = 0; i < 100; ++i) {  // until pgbouncer listens
      connected = test::run(io, session.connect());
      if (connected) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return connected;
  }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<PgBouncer> bouncer;
};

TEST_P(SessionPooler, IsDetectedAndReadsStillHaveTheirLimits) {
  SessionOptions given = options();
  given.read_only = true;
  given.statement_timeout = std::chrono::milliseconds(100);
  Session session(io.get_executor(), given);
  auto connected = connect(session);
  ASSERT_TRUE(connected) << core::describe(connected.error());
  EXPECT_TRUE(session.behind_pooler());
  EXPECT_EQ(test::run(io, session.query("SELECT pg_sleep(5)")).error().code, Code::timeout);
  EXPECT_EQ(test::run(io, session.query("CREATE TABLE t (a int)")).error().source, "25006");
}

TEST_P(SessionPooler, SettingsDoNotLeakToOtherClients) {
  Session session(io.get_executor(), options());
  auto connected = connect(session);
  ASSERT_TRUE(connected) << core::describe(connected.error());
  ASSERT_TRUE(test::run(io, session.query("SELECT 1")));
  test::PlainConnection neighbour(database->connection({{"host", "127.0.0.1"}, {"port", bouncer->port()}}));
  EXPECT_EQ(neighbour.value("SHOW statement_timeout"), "0");
  EXPECT_EQ(neighbour.value("SHOW lock_timeout"), "0");
}

TEST_P(SessionPooler, LoneStatementsAreRefused) {
  Session session(io.get_executor(), options());
  auto connected = connect(session);
  ASSERT_TRUE(connected) << core::describe(connected.error());
  EXPECT_EQ(test::run(io, session.alone("VACUUM", std::chrono::seconds(5))).error().code, Code::not_allowed);
}

INSTANTIATE_TEST_SUITE_P(StartupOptions, SessionPooler, testing::Values("", "ignore_startup_parameters = options"),
                         [](const auto& each) { return std::string(*each.param ? "Dropped" : "Refused"); });

}  // namespace
}  // namespace steward::db
