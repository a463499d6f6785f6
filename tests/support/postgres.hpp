// A database of its own for one test, on the throw-away cluster that STEWARD_TEST_POSTGRES (a superuser's connection
// string) points at. Plain libpq, so that the code under test is not what prepares and checks. Used by tests/db.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// First line of a test that needs the server; a fixture calls it in SetUp.
#define STEWARD_NEED_POSTGRES()                                                                          \
  if (!std::getenv("STEWARD_TEST_POSTGRES"))                                                             \
  GTEST_SKIP() << "STEWARD_TEST_POSTGRES is not set: it takes the connection string of a superuser on a " \
                  "throw-away PostgreSQL cluster (scripts/test starts one)"

namespace steward::test {

using Cells = std::vector<std::vector<std::string>>;  // NULL is ""

// `given` with some keywords replaced ("dbname", "port", …).
inline std::string with_parameters(const std::string& given, std::map<std::string, std::string> replaced) {
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(given.c_str(), nullptr), &PQconninfoFree);
  if (!parsed) throw std::runtime_error("STEWARD_TEST_POSTGRES cannot be parsed");
  for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option)
    if (option->val) replaced.emplace(option->keyword, option->val);
  std::string text;
  for (const auto& [name, value] : replaced) {
    text += name + "='";
    for (char c : value) text += (c == '\'' || c == '\\') ? std::string{'\\', c} : std::string{c};
    text += "' ";
  }
  return text;
}

inline std::string parameter_of(const std::string& given, const std::string& name) {
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(given.c_str(), nullptr), &PQconninfoFree);
  for (const PQconninfoOption* option = parsed.get(); option && option->keyword; ++option)
    if (option->keyword == name && option->val) return option->val;
  return {};
}

class PlainConnection {
 public:
  explicit PlainConnection(const std::string& text) : connection_(PQconnectdb(text.c_str()), &PQfinish) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
    exec("SET client_min_messages = error");
  }
  Cells exec(const std::string& sql) {
    std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), sql.c_str()), &PQclear);
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
    Cells rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (std::size_t r = 0; r < rows.size(); ++r)
      for (int c = 0; c < PQnfields(result.get()); ++c)
        rows[r].emplace_back(PQgetvalue(result.get(), static_cast<int>(r), c));
    return rows;
  }
  std::string value(const std::string& sql) { return exec(sql).at(0).at(0); }

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

class TestDatabase {
 public:
  TestDatabase() : cluster_(std::getenv("STEWARD_TEST_POSTGRES")), server_(cluster_) {
    static std::atomic<int> count{0};
    name_ = "steward_test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
    server_.exec("CREATE DATABASE " + name_ + " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
    inside_ = std::make_unique<PlainConnection>(connection());
  }
  ~TestDatabase() {
    inside_.reset();
    try {
      server_.exec("DROP DATABASE " + name_ + " WITH (FORCE)");
      for (const std::string& role : roles_) server_.exec("DROP ROLE " + role);
    } catch (const std::exception& problem) {
      ADD_FAILURE() << "the test's database stays behind: " << problem.what();
    }
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const std::string& name() const { return name_; }
  std::string connection(std::map<std::string, std::string> replaced = {}) const {
    replaced["dbname"] = name_;
    return with_parameters(cluster_, std::move(replaced));
  }
  PlainConnection& sql() { return *inside_; }
  // A role that owns nothing; its connection string.
  std::string plain_role(const std::string& attributes = "") {
    roles_.push_back(name_ + "_role" + std::to_string(roles_.size()));
    server_.exec("CREATE ROLE " + roles_.back() + " LOGIN PASSWORD 'not-a-secret' " + attributes);
    return connection({{"user", roles_.back()}, {"password", "not-a-secret"}});
  }
  std::string last_role() const { return roles_.back(); }
  void kill_backend(int pid) { server_.exec("SELECT pg_terminate_backend(" + std::to_string(pid) + ", 5000)"); }
  void cancel_backend(int pid) { server_.exec("SELECT pg_cancel_backend(" + std::to_string(pid) + ")"); }

 private:
  std::string cluster_;
  PlainConnection server_;
  std::string name_;
  std::unique_ptr<PlainConnection> inside_;
  std::vector<std::string> roles_;
};

}  // namespace steward::test
