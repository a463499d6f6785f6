#include "commands/space.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

namespace {

constexpr std::size_t most_names = 5;
constexpr std::int64_t gigabyte = std::int64_t{1} << 30;
constexpr std::int64_t most_margin = 10 * gigabyte;

SpaceTable table_from(const db::Row& row) {
  return {.name = row.text("name"), .quoted = row.text("quoted"), .filenode = row.integer("filenode"),
          .heap = row.integer("heap"), .indexes = row.integer("indexes"), .total = row.integer("total"),
          .rows = row.integer("rows"), .live = row.integer("live"), .dead = row.integer("dead"),
          .wasted = row.optional_integer("wasted"), .analysed = row.boolean("analysed"), .allowed = row.boolean("allowed"),
          .location = row.text("location")};
}

SpaceIndex index_from(const db::Row& row) {
  return {.name = row.text("name"), .quoted = row.text("quoted"), .table = row.text("table_name"),
          .filenode = row.integer("filenode"), .bytes = row.integer("bytes"), .valid = row.boolean("valid"),
          .leftover = row.boolean("leftover"), .busy = row.boolean("busy"), .allowed = row.boolean("allowed"),
          .location = row.text("location")};
}

// A twentieth of the file system, at most 10 GB: Synapse and the write-ahead log go on meanwhile.
core::Bytes margin_of(const Disk& disk) { return core::Bytes{std::min(disk.all.count / 20, most_margin)}; }

Disk unknown(std::string why) {
  Disk disk;
  disk.why_unknown = std::move(why);
  return disk;
}

}  // namespace

core::Result<std::vector<SpaceTable>> read_tables(db::Transaction& transaction, const std::string& name) {
  auto rows = transaction.exec(db::sql::space_tables, {{"table", name}});
  if (!rows) return core::fail(rows.error());
  std::vector<SpaceTable> tables;
  for (const db::Row& row : *rows) tables.push_back(table_from(row));
  return tables;
}

core::Result<std::vector<SpaceIndex>> read_indexes(db::Transaction& transaction, const std::string& table, const std::string& index) {
  auto rows = transaction.exec(db::sql::space_indexes, {{"table", table}, {"index", index}});
  if (!rows) return core::fail(rows.error());
  std::vector<SpaceIndex> indexes;
  for (const db::Row& row : *rows) indexes.push_back(index_from(row));
  return indexes;
}

core::Result<SpaceHost> read_host(db::Transaction& transaction) {
  auto rows = transaction.exec(db::sql::space_host, {});
  if (!rows) return core::fail(rows.error());
  const db::Row& row = rows->front();
  return SpaceHost{.data_directory = row.text("data_directory"), .same_host = row.boolean("same_host"), .slots = row.integer("slots"),
                   .oldest_transaction = row.integer("oldest_transaction"), .toast_leftovers = row.integer("toast_leftovers")};
}

core::Result<core::Error> no_such_name(db::Transaction& transaction, const std::string& name, bool or_index) {
  auto rows = transaction.exec(db::sql::space_names, {});
  if (!rows) return core::fail(rows.error());
  std::vector<std::string> names;
  for (const db::Row& row : *rows)
    if (or_index || !row.boolean("is_index")) names.push_back(row.text("name"));
  std::vector<std::string> near = core::nearest_all(name, names, 3);
  for (const std::string& each : names)
    if (near.size() < most_names && name.size() > 2 && each.find(name) != std::string::npos && std::find(near.begin(), near.end(), each) == near.end())
      near.push_back(each);
  if (near.size() > most_names) near.resize(most_names);
  return core::Error{core::Code::not_found, fmt::format("Synapse has no table{} {}", or_index ? " or index" : "", core::echo_word(name)),
                     names.empty() ? "its schema was not found in the database" : fmt::format("its schema has {}", or_index ? core::plural(static_cast<long long>(names.size()), "table and index", "tables and indexes") : core::plural(static_cast<long long>(names.size()), "table", "tables")),
                     near.empty() ? std::string() : "Did you mean " + core::join(near, ", ") + "?", {}};
}

std::string table_name(const std::string& typed) {
  std::string name = core::to_lower_ascii(typed);
  if (name.starts_with("public.")) name.erase(0, 7);
  return name;
}

Disk disk_of(const SpaceHost& host, const std::string& location) {
  if (!host.same_host) return unknown("the database is on another host");
  const std::string& folder = location.empty() ? host.data_directory : location;
  if (folder.empty()) return unknown("the database role may not see the data directory; GRANT pg_read_all_settings lets it");
  struct statvfs found = {};
  if (statvfs(folder.c_str(), &found) != 0) return unknown("the bot cannot reach the data directory");
  Disk disk;
  disk.known = true;
  disk.free.count = static_cast<std::int64_t>(found.f_bavail) * static_cast<std::int64_t>(found.f_frsize);
  disk.all.count = static_cast<std::int64_t>(found.f_blocks) * static_cast<std::int64_t>(found.f_frsize);
  return disk;
}

std::string disk_line(const Disk& disk) {
  if (!disk.known) return "Free disk: ⚠ not known (" + disk.why_unknown + "); look at the host first";
  return fmt::format("Free disk: {} of {}", core::format_size(disk.free), core::format_size(disk.all));
}

core::Result<void> check_disk(const Disk& disk, core::Bytes needed) {
  if (!disk.known) return {};
  const core::Bytes margin = margin_of(disk);
  if (disk.free >= needed + margin) return {};
  return core::fail(core::Code::conflict, "There is not enough free disk",
                    fmt::format("up to {} are needed and {} must stay free, {} are free", core::format_size(needed), core::format_size(margin), core::format_size(disk.free)),
                    "make room first, or take a smaller table");
}

std::optional<core::Bytes> expected_return(const SpaceTable& table) {
  if (!table.wasted || table.heap == 0) return std::nullopt;
  const double share = static_cast<double>(*table.wasted) / static_cast<double>(table.heap);
  return core::Bytes{*table.wasted + static_cast<std::int64_t>(share * static_cast<double>(table.indexes))};
}

std::vector<SpaceTable> by_expected_return(std::vector<SpaceTable> tables) {
  std::erase_if(tables, [](const SpaceTable& table) { return !table.allowed || expected_return(table).value_or(core::Bytes{}).count < (1 << 20); });
  std::stable_sort(tables.begin(), tables.end(), [](const SpaceTable& a, const SpaceTable& b) { return *expected_return(a) > *expected_return(b); });
  return tables;
}

}  // namespace steward::commands
