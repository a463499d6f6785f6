// What Synapse's schema must look like before anything is destroyed.
#include <algorithm>

#include "core/text.hpp"
#include "db/guard.hpp"
#include "db/room_tables.hpp"
#include "db/store_outcome.hpp"

namespace steward::db {
namespace {

using core::Code;
using core::Result;

// What every homeserver of the supported versions has, and the bot reads or cleans.
const std::vector<std::string>& needed_tables() {
  static const std::vector<std::string> tables{
      "schema_version", "schema_compat_version", "background_updates", "events", "event_json", "event_edges",
      "event_forward_extremities", "event_to_state_groups", "rooms", "room_memberships", "local_current_membership",
      "current_state_events", "room_aliases", "room_stats_current", "room_stats_state", "state_groups", "state_groups_state",
      "state_group_edges", "local_media_repository", "remote_media_cache", "users", "devices", "event_txn_id_device_id"};
  return tables;
}

std::string name(const Row& row) { return row.text("name"); }

Result<std::vector<std::string>> missing_tables(Transaction& transaction) {
  return all_of(transaction.exec("SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS needed (name, place) "
                                 "WHERE to_regclass(name) IS NULL ORDER BY place",
                                 {bind_array(needed_tables())}),
                name);
}

Result<bool> recalculation_pending(Transaction& transaction) {
  auto table = transaction.exec("SELECT to_regclass('sliding_sync_joined_rooms_to_recalculate') IS NOT NULL AS there");
  if (!table) return core::fail(table.error());
  if (!table->at(0).boolean("there")) return false;  // before schema 87
  auto rows = transaction.exec("SELECT EXISTS (SELECT 1 FROM sliding_sync_joined_rooms_to_recalculate) AS pending");
  if (!rows) return core::fail(rows.error());
  return rows->at(0).boolean("pending");
}

Result<void> read_versions(Transaction& transaction, SchemaState& state) {
  auto versions = transaction.exec(
      "SELECT (SELECT version FROM schema_version) AS version, (SELECT compat_version FROM schema_compat_version) AS compat");
  if (!versions) return core::fail(versions.error());
  state.version = static_cast<int>(versions->at(0).integer("version"));
  state.compat_version = static_cast<int>(versions->at(0).integer("compat"));
  auto updates = all_of(transaction.exec("SELECT update_name AS name FROM background_updates ORDER BY ordering, update_name"), name);
  if (!updates) return core::fail(updates.error());
  state.background_updates = std::move(*updates);
  return {};
}

Result<SchemaState> read_state(Transaction& transaction) {
  SchemaState state;
  auto missing = missing_tables(transaction);
  if (!missing) return core::fail(missing.error());
  state.missing_tables = std::move(*missing);
  const auto lacks = [&state](const char* table) {
    return std::find(state.missing_tables.begin(), state.missing_tables.end(), table) != state.missing_tables.end();
  };
  if (!lacks("schema_version") && !lacks("schema_compat_version") && !lacks("background_updates")) {
    if (auto read = read_versions(transaction, state); !read) return core::fail(read.error());
  }
  auto unknown = unknown_references(transaction);
  if (!unknown) return core::fail(unknown.error());
  state.unknown_references = std::move(*unknown);
  auto pending = recalculation_pending(transaction);
  if (!pending) return core::fail(pending.error());
  state.recalculation_pending = *pending;
  return state;
}

core::Error missing(const SchemaState& state) {
  const auto& tables = state.missing_tables;
  const std::string list = core::join(tables, ", ");
  if (tables.size() == needed_tables().size() || std::find(tables.begin(), tables.end(), "events") != tables.end())
    return {Code::not_allowed, "this is not a Synapse database", "it lacks " + list, "check the setting database.synapse", ""};
  const bool only_state = std::all_of(tables.begin(), tables.end(), [](const std::string& name) {
    return name.starts_with("state_group");
  });
  if (only_state)
    return {Code::not_allowed, "the state tables are in another database", "it lacks " + list,
            "a split state database is not supported yet; nothing was changed", ""};
  return {Code::not_allowed, "Synapse's database lacks tables", "missing: " + list,
          "start Synapse once so that it makes them, or update the bot", ""};
}

}  // namespace

boost::asio::awaitable<Result<SchemaState>> schema_state(Session& read) {
  auto reading = read.transaction(read_state);
  co_return co_await std::move(reading);
}

Result<void> allows_destruction(const SchemaState& state) {
  if (!state.missing_tables.empty()) return core::fail(missing(state));
  const std::string version = std::to_string(state.version);
  if (state.version < oldest_supported_schema)
    return core::fail(Code::not_allowed, "Synapse's schema " + version + " is too old",
                      "the bot knows " + std::to_string(oldest_supported_schema) + " to " + std::to_string(newest_known_schema),
                      "update Synapse to 1.106 or later");
  if (state.version > newest_known_schema && state.compat_version > newest_known_schema)
    return core::fail(Code::not_allowed, "Synapse's schema " + version + " is newer than the bot",
                      "it no longer fits programs that know schema " + std::to_string(newest_known_schema), "update the bot");
  if (!state.unknown_references.empty())
    return core::fail(Code::not_allowed, "tables that the bot does not know point at Synapse's rooms, events or what belongs to them",
                      "unknown: " + core::join(state.unknown_references, ", "),
                      "update the bot, or take the foreign key out if the table is not Synapse's");
  if (!state.background_updates.empty())
    return core::fail(Code::not_allowed, "Synapse is still changing its tables",
                      "background updates under way: " + core::join(state.background_updates, ", "),
                      "wait until they are done (`!background-updates`)");
  if (state.recalculation_pending)
    return core::fail(Code::not_allowed, "Synapse is still recalculating its room lists",
                      "sliding_sync_joined_rooms_to_recalculate holds rows", "wait until it is empty");
  return {};
}

}  // namespace steward::db
