#include "db/room_tables.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "db/store_outcome.hpp"

namespace steward::db {
namespace {

using core::Result;
using enum RoomAction;

// Synapse's order (storage/databases/main/purge_events.py, state/store.py); the order of a deletion is computed from it and
// from the foreign keys found. Schema 84 to 94.
const std::vector<RoomTable> registry{
    {"event_auth_chain_links", purge, RoomKey::auth_chain},
    {"event_auth", purge, RoomKey::event, "event_id"},
    {"event_edges", purge, RoomKey::event, "event_id"},
    {"event_json", purge, RoomKey::event, "event_id"},
    {"event_push_actions_staging", purge, RoomKey::event, "event_id"},
    {"event_relations", purge, RoomKey::event, "event_id"},
    {"event_to_state_groups", purge, RoomKey::event, "event_id"},
    {"event_auth_chains", purge, RoomKey::event, "event_id"},
    {"event_auth_chain_to_calculate", purge, RoomKey::event, "event_id"},
    {"redactions", purge, RoomKey::event, "event_id"},
    {"rejections", purge, RoomKey::event, "event_id"},
    {"state_events", purge, RoomKey::event, "event_id"},
    {"event_expiry", orphan, RoomKey::event, "event_id"},

    {"current_state_events", purge, RoomKey::room, "event_id"},
    {"destination_rooms", purge},
    {"destination_rooms_sticky_events_backlog", purge, RoomKey::room, {}, 94},
    {"event_backward_extremities", purge},  // its event_id is one that the server does not have
    {"event_forward_extremities", purge, RoomKey::room, "event_id"},
    {"event_push_actions", purge, RoomKey::room, "event_id"},
    {"event_search", purge, RoomKey::room, "event_id"},
    {"event_failed_pull_attempts", purge},  // the same
    {"partial_state_events", purge, RoomKey::room, "event_id"},
    {"partial_state_rooms_servers", purge},
    {"partial_state_rooms", purge},
    {"local_current_membership", purge, RoomKey::room, "event_id"},
    {"room_memberships", purge, RoomKey::room, "event_id"},
    {"sliding_sync_joined_rooms", purge, RoomKey::room, {}, 87},
    {"sliding_sync_membership_snapshots", purge, RoomKey::room, "membership_event_id", 87},
    {"msc4242_state_dag_forward_extremities", purge, RoomKey::room, "event_id", 94},
    {"msc4242_state_dag_edges", purge, RoomKey::room, "event_id", 94},
    {"sticky_events", purge, RoomKey::room, "event_id", 93},
    {"room_retention", orphan, RoomKey::room, "event_id"},
    {"event_labels", orphan, RoomKey::room, "event_id"},
    {"threads", orphan},
    {"events", purge, RoomKey::room, "event_id"},
    {"federation_inbound_events_staging", purge},
    {"receipts_graph", purge},
    {"receipts_linearized", purge},
    {"room_alias_servers", orphan, RoomKey::alias},
    {"room_aliases", purge},
    {"room_depth", purge},
    {"room_stats_state", purge},
    {"room_stats_current", purge},
    {"room_stats_earliest_token", purge},
    {"stream_ordering_to_exterm", purge},
    {"users_in_public_rooms", purge},
    {"users_who_share_private_rooms", purge},
    {"appservice_room_list", purge},
    {"e2e_room_keys", purge},
    {"event_push_summary", purge},
    {"pusher_throttle", purge},
    {"room_account_data", purge},
    {"room_tags", purge},
    {"rooms", purge},

    {"state_group_edges", purge, RoomKey::state_group},
    {"state_groups_state", purge, RoomKey::state_group},
    {"state_groups", purge},

    {"event_txn_id_device_id", cascade, RoomKey::event, "event_id"},
    {"thread_subscriptions", cascade, RoomKey::room, "event_id", 92},
    {"un_partial_stated_event_stream", cascade, RoomKey::event, "event_id"},
    {"un_partial_stated_room_stream", cascade},

    {"blocked_rooms", keep},
    {"delayed_events", keep, RoomKey::room, {}, 88},  // Synapse's own queue; a room with one to come is not chosen
    {"event_reports", keep},
    {"room_reports", keep, RoomKey::room, {}, 85},
    {"room_ban_redactions", keep, RoomKey::room, {}, 92},
    {"user_directory", keep},  // its room_id is not used
    {"sliding_sync_connection_lazy_members", keep, RoomKey::room, {}, 93},  // these three go with their connection
    {"sliding_sync_connection_room_configs", keep, RoomKey::room, {}, 87},
    {"sliding_sync_connection_streams", keep, RoomKey::room, {}, 87},
    {"state_groups_pending_deletion", keep, RoomKey::state_group, {}, 89},
    {"state_groups_persisting", keep, RoomKey::state_group, {}, 89},

    {"current_state_delta_stream", stream},
    {"device_lists_changes_in_room", stream},
    {"device_lists_changes_converted_stream_position", stream},
    {"ex_outlier_stream", stream, RoomKey::event},
    {"room_tags_revisions", stream},
    {"timeline_gaps", stream},

    {"sliding_sync_joined_rooms_to_recalculate", blocks, RoomKey::room, {}, 87},

    // The Rust compressor's.
    {"state_compressor_state", foreign},
    {"state_compressor_progress", foreign},
    {"state_compressor_total_progress", foreign},
};

using Edges = std::set<std::pair<std::string, std::string>>;  // child, parent: the child's rows go first

bool deletes(const RoomTable& table) { return table.action == purge || table.action == orphan; }

std::vector<std::string> names_of(bool (*wanted)(const RoomTable&)) {
  std::vector<std::string> names;
  for (const RoomTable& table : registry)
    if (wanted(table)) names.emplace_back(table.name);
  return names;
}

bool any(const RoomTable&) { return true; }

std::string name(const Row& row) { return row.text("name"); }

// A table through which others find their rows goes after them.
void add_keys(const RoomTable& table, Edges& edges) {
  const std::string name(table.name);
  switch (table.key) {
    case RoomKey::room: break;
    case RoomKey::event: edges.emplace(name, "events"); break;
    case RoomKey::state_group: edges.emplace(name, "state_groups"); break;
    case RoomKey::alias: edges.emplace(name, "room_aliases"); break;
    case RoomKey::auth_chain:
      edges.emplace(name, "event_auth_chains");
      edges.emplace(name, "events");
      break;
  }
}

Result<Edges> edges_of(Transaction& transaction, const std::vector<const RoomTable*>& tables) {
  auto rows = transaction.exec(
      "SELECT c.relname AS child, p.relname AS parent FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid "
      "JOIN pg_class p ON p.oid = f.confrelid WHERE f.contype = 'f' AND f.conrelid <> f.confrelid "
      "AND p.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('events'))");
  if (!rows) return core::fail(rows.error());
  Edges edges;
  for (const Row& row : *rows) edges.emplace(row.text("child"), row.text("parent"));
  for (const RoomTable* table : tables) add_keys(*table, edges);
  return edges;
}

// Each time the first table that no other one left has to go before.
Result<std::vector<const RoomTable*>> children_first(std::vector<const RoomTable*> left, const Edges& edges) {
  std::vector<const RoomTable*> ordered;
  while (!left.empty()) {
    const auto free = std::find_if(left.begin(), left.end(), [&](const RoomTable* table) {
      return std::none_of(left.begin(), left.end(), [&](const RoomTable* other) {
        return edges.contains({std::string(other->name), std::string(table->name)});
      });
    });
    if (free == left.end())
      return core::fail(core::Code::conflict, "the foreign keys of Synapse's tables form a circle",
                        "no order of deletion fits them; one of the tables is " + std::string(left.front()->name), "update the bot");
    ordered.push_back(*free);
    left.erase(free);
  }
  return ordered;
}

std::string statement(const RoomTable& table, const std::string& where) {
  return "DELETE FROM " + std::string(table.name) + " AS x WHERE " + where;
}

}  // namespace

const std::vector<RoomTable>& room_tables() { return registry; }

const RoomTable* find_room_table(std::string_view name) {
  const auto found = std::find_if(registry.begin(), registry.end(), [name](const RoomTable& table) { return table.name == name; });
  return found == registry.end() ? nullptr : &*found;
}

Result<RoomTablesHere> room_tables_here(Transaction& transaction, int schema_version) {
  RoomTablesHere here;
  auto found = all_of(transaction.exec("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL", {bind_array(names_of(any))}), name);
  if (!found) return core::fail(found.error());
  const std::set<std::string> present(found->begin(), found->end());
  std::vector<const RoomTable*> tables;
  for (const RoomTable& table : registry) {
    if (!deletes(table)) continue;
    if (present.contains(std::string(table.name))) tables.push_back(&table);
    else if (table.since <= schema_version) here.missing.emplace_back(table.name);
  }
  auto unknown = all_of(transaction.exec(
      "SELECT DISTINCT c.relname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
      "WHERE a.attname IN ('room_id', 'event_id') AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND c.relname <> ALL ($1::text[]) "
      "AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('events')) ORDER BY 1",
      {bind_array(names_of(any))}), name);
  if (!unknown) return core::fail(unknown.error());
  here.unknown = std::move(*unknown);
  auto edges = edges_of(transaction, tables);
  if (!edges) return core::fail(edges.error());
  auto ordered = children_first(std::move(tables), *edges);
  if (!ordered) return core::fail(ordered.error());
  here.deletion = std::move(*ordered);
  return here;
}

// From the catalogue: information_schema hides tables without rights. Same schema or another, a reference is a reference.
Result<std::vector<std::string>> unknown_references(Transaction& transaction) {
  return all_of(transaction.exec(
      "SELECT DISTINCT c.relname AS name FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid "
      "WHERE f.contype = 'f' AND f.confrelid IN (SELECT to_regclass(name) FROM unnest($2::text[]) AS name) "
      "AND (c.relname <> ALL ($1::text[]) OR c.relnamespace <> (SELECT relnamespace FROM pg_class WHERE oid = f.confrelid)) "
      "ORDER BY 1",
      {bind_array(names_of(any)), bind_array(names_of(deletes))}), name);
}

std::string delete_by_rooms(const RoomTable& table) {
  const std::string of_rooms = "room_id = ANY ($1::text[])";
  switch (table.key) {
    case RoomKey::room: return statement(table, "x." + of_rooms);
    case RoomKey::event: return statement(table, "x.event_id IN (SELECT event_id FROM events WHERE " + of_rooms + ")");
    case RoomKey::state_group: return statement(table, "x.state_group IN (SELECT id FROM state_groups WHERE " + of_rooms + ")");
    case RoomKey::alias: return statement(table, "x.room_alias IN (SELECT room_alias FROM room_aliases WHERE " + of_rooms + ")");
    case RoomKey::auth_chain: break;
  }
  return statement(table, "(x.origin_chain_id, x.origin_sequence_number) IN (SELECT chain_id, sequence_number FROM event_auth_chains "
                          "JOIN events USING (event_id) WHERE " + of_rooms + ")");
}

std::string delete_by_events(const RoomTable& table) {
  if (table.key == RoomKey::auth_chain)
    return statement(table, "(x.origin_chain_id, x.origin_sequence_number) IN (SELECT chain_id, sequence_number FROM event_auth_chains "
                            "WHERE event_id = ANY ($1::text[]))");
  return statement(table, "x." + std::string(table.event) + " = ANY ($1::text[])");
}

}  // namespace steward::db
