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

std::string label_of(const db::Row& row) {
  if (!row.text("alias").empty()) return core::clean_name(row.text("alias"));
  if (!row.text("stats_name").empty()) return core::clean_name(row.text("stats_name"));
  return core::clean_name(room::text_at(row.text("name_json"), "/content/name"));
}

}  // namespace

core::Result<void> label_rooms(db::Transaction& transaction, std::vector<RoomFacts*> rooms) {
  for (std::size_t start = 0; start < rooms.size(); start += rooms_at_a_time) {
    const std::size_t end = std::min(rooms.size(), start + rooms_at_a_time);
    std::vector<std::string> ids;
    std::unordered_map<std::string, RoomFacts*> by_id;
    for (std::size_t index = start; index < end; ++index) {
      ids.push_back(rooms[index]->room_id);
      by_id.emplace(rooms[index]->room_id, rooms[index]);
    }
    auto rows = transaction.exec(db::sql::rooms_names, {{"rooms", db::bind_array(ids)}});
    if (!rows) return core::fail(rows.error());
    for (const db::Row& row : *rows) by_id.at(row.text("room_id"))->label = label_of(row);
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
