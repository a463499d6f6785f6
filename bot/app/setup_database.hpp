// What a connection string given to setup leads to: whether it connects, whether it is Synapse's database, what the role
// may do, and who owns the bot's names there. Read-only. Used by setup and check. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>

#include "core/ids.hpp"
#include "core/secret.hpp"

namespace steward::app {

struct DatabaseFinding {
  bool connected = false;
  std::string problem;      // why not; the server's primary message, never the connection string
  std::string role, database;
  bool has_users = false;   // Synapse's tables are there
  bool may_read = false;    // ... and readable
  bool has_schema = false;  // the bot's schema is there
  bool may_write = false;   // ... or can be made, and written
  bool superuser = false;
  bool behind_pooler = false;
  std::map<std::string, std::string> owners;  // user id → appservice_id ("" is a person) of those asked for that exist
};
boost::asio::awaitable<DatabaseFinding> look_at_database(boost::asio::any_io_executor io, core::Secret connection,
                                                         std::string schema, core::UserId chat, core::UserId sender);

// What a database superuser runs for roles of the bot's own; text to print.
std::string database_statements(const std::string& database, const std::string& role, const std::string& schema);
// Only what an existing role still needs.
std::string schema_statement(const std::string& role, const std::string& schema);

}  // namespace steward::app
