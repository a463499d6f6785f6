// Statements of sql/ that serve several tables: their files are written with :"name" for the table and columns that differ. Used by
// commands over many tables. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/statement.hpp"

namespace steward::db {

// The text with each :"name" replaced by the quoted name given for it. For names that are compiled in, never for what came from
// outside: anything but lower case, digits and _ is a std::logic_error, and so are a name that is missing and one that is not used.
std::string with_names(const Statement& statement, const std::vector<std::pair<std::string_view, std::string_view>>& names);

}  // namespace steward::db
