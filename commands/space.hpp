// Tables and indexes as the catalogue has them, and the free disk below them: what !analyze, !vacuum, !reindex, !repack and !vacuum-full
// choose and measure by. Names come back quoted by the server; what a person typed is only ever bound. Session threads
// (read_…) and the I/O thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/units.hpp"
#include "db/session.hpp"

namespace steward::commands {

struct SpaceTable {
  std::string name, quoted;
  std::int64_t filenode = 0;  // another one after a rewrite
  std::int64_t heap = 0, indexes = 0, total = 0;
  std::int64_t rows = 0, live = 0, dead = 0;
  std::optional<std::int64_t> wasted;  // ≈ unused bytes of the heap
  bool analysed = false, allowed = false;
  std::string location;  // of a tablespace; "" for the data directory
};

struct SpaceIndex {
  std::string name, quoted, table;
  std::int64_t filenode = 0, bytes = 0;
  bool valid = false, leftover = false, busy = false, allowed = false;
  std::string location;
};

struct SpaceHost {
  std::string data_directory;  // "" without the right to see it
  bool same_host = false;
  std::int64_t slots = 0, oldest_transaction = 0, toast_leftovers = 0;
};

// All tables with name "".
core::Result<std::vector<SpaceTable>> read_tables(db::Transaction& transaction, const std::string& name);
// By table or by index name, "" for any.
core::Result<std::vector<SpaceIndex>> read_indexes(db::Transaction& transaction, const std::string& table, const std::string& index);
core::Result<SpaceHost> read_host(db::Transaction& transaction);
// not_found with the nearest names.
core::Result<core::Error> no_such_name(db::Transaction& transaction, const std::string& name, bool or_index);

// What a person types for a table: lower case, without the schema's name before it.
std::string table_name(const std::string& typed);

struct Disk {
  bool known = false;
  core::Bytes free, all;
  std::string why_unknown;
};
// Of the file system that holds `location` (or the data directory), where the database is on this host.
Disk disk_of(const SpaceHost& host, const std::string& location);
// "Free disk: 55.0 GB", or that it is not known and why.
std::string disk_line(const Disk& disk);
// Refuses when less than the margin would stay free. What is not known is not refused here: the plan says it.
core::Result<void> check_disk(const Disk& disk, core::Bytes needed);

// ≈ bytes that a rewrite gives back, heap and indexes in proportion; nullopt before the first ANALYZE.
std::optional<core::Bytes> expected_return(const SpaceTable& table);
// Those that may be maintained and would return a megabyte or more, the most first.
std::vector<SpaceTable> by_expected_return(std::vector<SpaceTable> tables);

}  // namespace steward::commands
