// What embedding makes of the files in sql/: a statement with numbered parameters, a migration of the bot's own schema.
// Constants, read on any thread. Kept apart from session.hpp so that the generated sources compile in no time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace steward::db {

// A statement of sql/: its file is written with :'name' parameters, which embedding numbers. See sql/statements.hpp
// (generated): `db::sql::room_candidates`.
struct Statement {
  std::string_view name;
  std::string_view text;
  std::vector<std::string_view> parameters;
};

// The text of a statement that serves several tables: each :"name" of its file replaced by the quoted name given for it. For names
// that are compiled in, never for what came from outside: anything but lower case, digits and _ is a std::logic_error, and so
// are a name that is missing and one that is not used.
std::string with_names(const Statement& statement, const std::vector<std::pair<std::string_view, std::string_view>>& names);

struct Migration {
  int number = 0;
  std::string_view name;
  std::string_view text;
};

}  // namespace steward::db
