// What the commands over the database have in common: how many rows a card and a file hold, the file behind an answer.
// Used by db_*.cpp, check_db.cpp and query.cpp only. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "command/command.hpp"
#include "command/data_table.hpp"

namespace steward::commands {

inline constexpr std::int64_t rows_in_card = 14;  // with title and a closing line: a phone's screen
inline constexpr std::int64_t rows_in_file = 100'000;
inline constexpr auto report_limit = std::chrono::minutes(2);  // statement time-out of what reads whole tables

// How many rows to ask for: --limit, else what the card or the file holds.
std::int64_t rows_wanted(const command::Arguments& arguments);
// How many of `found` rows the card shows.
std::size_t rows_shown(std::size_t found);

// Answer::json, and the file that --csv or --json asks for: "<name>.csv".
void attach(command::Answer& answer, const command::Arguments& arguments, const command::DataTable& table, const std::string& name);
// "and 12 more; all of them: --csv", when the card does not hold all.
void tell_rest(command::Answer& answer, const command::Arguments& arguments, std::int64_t all, std::size_t shown);

// "12.3 % of what PostgreSQL allows before it stops writing": the share of two thousand million transactions.
std::string wraparound_text(std::int64_t transactions_age);

}  // namespace steward::commands
