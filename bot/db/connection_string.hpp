// The connection string that libpq gets: the admin's own plus our name, keepalives and start-up settings.
// Used by session.cpp on its thread, and by commands that run a client program.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::db {

// Settings travel as start-up options, so they hold from the first statement on and never leak through a pooler.
// Pgbouncer may refuse them: then with_settings=false, and each transaction sets them by SET LOCAL (local_settings).
// bad_input when the admin's string cannot be parsed; the error shows nothing of it.
core::Result<std::string> complete_connection_string(const SessionOptions& options, bool with_settings);

// "SET LOCAL …;SET LOCAL …" with the same settings, for the start of a transaction.
std::string local_settings(const SessionOptions& options);

// The same for a client program: PGHOST, PGPASSWORD … as libpq reads them, our own such variables where the string says nothing.
core::Result<std::vector<std::pair<std::string, std::string>>> client_environment(const core::Secret& connection, const std::string& application);

}  // namespace steward::db
