// What the two roles of the bot must be allowed on Synapse's tables: the reader, which runs reports, and the writer, which plans and
// works. Made from the rights of the statements in sql/ (sql/rights.tsv) and the registry of room tables. Used by setup, which
// prints it, by check, which names what is missing, and by the tests. The text is pure; missing_rights awaits on the I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"
#include "db/statement.hpp"

namespace steward::db {

// One privilege on one table; no columns: the whole table.
struct Grant {
  std::string_view privilege, table;
  std::set<std::string_view> columns;
};

// Everything that role needs, by table. The writer reads all that the reader reads.
std::vector<Grant> needed_grants(Role role);

// A script for psql that a superuser runs in Synapse's database: both roles, the bot's schema, their grants; tables and columns that
// this Synapse does not have are left out when it runs. Run again after an update of the bot, it adds what is new.
std::string grants_script(std::string_view schema);

struct MissingRight {
  std::string table, grant;  // the GRANT for whoever the session is connected as
};
// What the session's own role lacks on the tables that are there.
boost::asio::awaitable<core::Result<std::vector<MissingRight>>> missing_rights(Session& session, Role role);

// The right that the statement wanted and the server refused in `message` (42501), as a GRANT to `role`; "" when it is not among its rights.
std::string grant_for(const Statement& statement, std::string_view message, std::string_view role);

}  // namespace steward::db
