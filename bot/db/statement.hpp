// What embedding makes of the files in sql/: a statement with numbered parameters, a migration of the bot's own schema.
// Constants, read on any thread. Kept apart from session.hpp so that the generated sources compile in no time.
#pragma once

#include <string_view>
#include <vector>

namespace steward::db {

// A statement of sql/: its file is written with :'name' parameters, which embedding numbers. See sql/statements.hpp
// (generated): `db::sql::room_candidates`.
// The role of the database that runs a statement: reports run as the reader, plans and jobs as the writer.
enum class Role { reader, writer };

// What a statement needs to be allowed on one table of Synapse's, as PostgreSQL itself says (sql/rights.tsv).
struct Right {
  std::string_view privilege;  // SELECT, DELETE, INSERT, UPDATE
  std::string_view table;
  std::vector<std::string_view> columns;  // empty: the whole table
};

struct Statement {
  std::string_view name;
  std::string_view text;
  std::vector<std::string_view> parameters;
  bool prepared = false;  // planned once per connection: what a job runs for item after item
  Role role = Role::reader;
  std::vector<Right> rights = {};
};

struct Migration {
  int number = 0;
  std::string_view name;
  std::string_view text;
};

}  // namespace steward::db
