// What analyze, vacuum, vacuum-full and repack have in common: their tables in a plan, its lines of time and disk, and what came of
// a table. Used by vacuum.cpp and repack.cpp. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "commands/maintenance.hpp"
#include "commands/space.hpp"
#include "jobs/plan.hpp"

namespace steward::commands {

struct FoundTables {
  std::vector<SpaceTable> tables;  // all, or the named one
  SpaceHost host;
};
// not_found with the nearest names; not_allowed when the named one is not the role's to maintain.
boost::asio::awaitable<core::Result<FoundTables>> find_tables(std::string name, command::Context& context);

// Every message, sync or login needs it.
bool is_vital(const std::string& table);

void add_table(jobs::Plan& plan, const SpaceTable& table);
// One more in plan.kept under that reason.
void keep(jobs::Plan& plan, const char* reason, const char* text, const SpaceTable& table);
// Without a table: which would bring most, `of_vital` behind the vital ones. One at a time is asked for, never all of them.
jobs::Plan list_candidates(jobs::Plan plan, const std::vector<SpaceTable>& all, const char* of_vital);

std::chrono::milliseconds rewrite_time(std::int64_t bytes);
std::string time_line(std::chrono::milliseconds time);
// When one has been open for a minute: "Oldest transaction: open for 5 min; <what>".
void add_transaction_line(jobs::Plan& plan, const SpaceHost& host, const char* what);
std::string returned_line(const SpaceTable& table);
// The copy of a table and its write-ahead log.
core::Bytes rewrite_needs(const SpaceTable& table);
std::string rewrite_disk_line(const SpaceTable& table, const SpaceHost& host);

// What came of one table, and of a run over several: dead rows and bytes as the catalogue had them before and has them after.
jobs::ItemOutcome table_outcome(const SpaceTable& before, const SpaceTable& after, std::chrono::milliseconds took);
void add_table_lines(jobs::Receipt& receipt, RunResult& result, std::int64_t dead_rows);

}  // namespace steward::commands
