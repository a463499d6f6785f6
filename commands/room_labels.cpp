// What events say about rooms whose statistics are empty. The JSON of events is parsed here: a cast in SQL dies on \u0000.
#include <algorithm>
#include <unordered_map>

#include "commands/room_selection.hpp"
#include "core/text.hpp"
#include "room/json_fields.hpp"
#include "sql/statements.hpp"

namespace steward::commands {
namespace {

constexpr std::size_t rooms_at_a_time = 1000;

using ById = std::unordered_map<std::string, RoomFacts*>;

std::string label_of(const db::Row& row) {
  return core::clean_name(row.text("alias").empty() ? row.text("stats_name") : row.text("alias"));
}

// The role of reports may not read events: there such a room stays without a name.
core::Result<void> label_by_events(db::Transaction& transaction, const std::vector<std::string>& nameless, const ById& by_id) {
  if (nameless.empty()) return {};
  auto may = transaction.exec("SELECT has_column_privilege(to_regclass('event_json'), 'json', 'SELECT') AS may");
  if (!may) return core::fail(may.error());
  if (!may->front().boolean("may")) return {};
  auto rows = transaction.exec(db::sql::rooms_old_names, {{"rooms", db::bind_array(nameless)}});
  if (!rows) return core::fail(rows.error());
  for (const db::Row& row : *rows)
    by_id.at(row.text("room_id"))->label = core::clean_name(room::text_at(row.text("name_json"), "/content/name"));
  return {};
}

}  // namespace

core::Result<void> label_rooms(db::Transaction& transaction, std::vector<RoomFacts*> rooms) {
  for (std::size_t start = 0; start < rooms.size(); start += rooms_at_a_time) {
    const std::size_t end = std::min(rooms.size(), start + rooms_at_a_time);
    std::vector<std::string> ids;
    ById by_id;
    for (std::size_t index = start; index < end; ++index) {
      ids.push_back(rooms[index]->room_id);
      by_id.emplace(rooms[index]->room_id, rooms[index]);
    }
    auto rows = transaction.exec(db::sql::rooms_names, {{"rooms", db::bind_array(ids)}});
    if (!rows) return core::fail(rows.error());
    std::vector<std::string> nameless;
    for (const db::Row& row : *rows) {
      const std::string id = row.text("room_id");
      by_id.at(id)->label = label_of(row);
      if (row.text("alias").empty() && row.is_null("stats_name")) nameless.push_back(id);
    }
    if (auto named = label_by_events(transaction, nameless, by_id); !named) return core::fail(named.error());
  }
  return {};
}

core::Result<std::set<std::string>> untold_spaces(db::Transaction& transaction, const std::vector<std::string>& rooms) {
  std::set<std::string> spaces;
  if (rooms.empty()) return spaces;
  auto rows = transaction.exec(db::sql::rooms_without_type, {{"rooms", db::bind_array(rooms)}});
  if (!rows) return core::fail(rows.error());
  for (const db::Row& row : *rows)
    if (room::text_at(row.text("create_json"), "/content/type") == "m.space") spaces.insert(row.text("room_id"));
  return spaces;
}

}  // namespace steward::commands
