#include "commands/state_compression.hpp"

#include <algorithm>

#include "sql/statements.hpp"

namespace steward::commands {

using compression::nowhere;
using compression::Place;

namespace {

constexpr std::int64_t most_rows = 20'000'000;  // eight bytes each
// What one transaction collapses, groups times keys: about 100 ms.
constexpr std::size_t keys_at_a_time = 10'000, most_groups_at_a_time = 10;

core::Result<std::int64_t> changed_meanwhile(const char* why) {
  return core::fail(core::Code::conflict, "State groups changed meanwhile", why, "they were left as they are; plan again to try again");
}

// Adds the page to `groups`; returns the last id, or `after` when the page was empty.
std::int64_t take_page(const db::Rows& rows, std::int64_t newest, std::int64_t after, compression::StateGroups& groups) {
  std::optional<std::int64_t> predecessor;
  for (const db::Row& row : rows) {
    const std::int64_t id = row.integer("id");
    const auto named = row.optional_integer("prev_state_group");
    if (id != after || named != predecessor) groups.add_group(id, named, id >= newest || row.boolean("in_use"));
    after = id;
    predecessor = named;
    if (!row.is_null("type")) groups.add_row(row.text("type"), row.text("state_key"), row.text("event_id"));
  }
  return after;
}

void keep_needed(const compression::StateGroups& groups, Place place, Chunk& chunk) {
  if (place != nowhere) chunk.needed.push_back(std::to_string(groups.groups()[place].id));
}

void add_to(Chunk& chunk, const compression::StateGroups& groups, const compression::ChangedGroup& changed) {
  const compression::StateGroup& stored = groups.groups()[changed.group];
  const std::string id = std::to_string(stored.id);
  chunk.groups.push_back(id);
  chunk.rows_before += stored.row_count;
  chunk.edges_before += stored.predecessor != nowhere;
  for (const Place place : {changed.group, stored.predecessor, changed.predecessor}) keep_needed(groups, place, chunk);
  if (changed.predecessor != nowhere) {
    chunk.edge_groups.push_back(id);
    chunk.predecessors.push_back(std::to_string(groups.groups()[changed.predecessor].id));
  }
  for (const compression::StateRow& row : changed.delta) {
    const auto [type, state_key] = groups.type_and_state_key(row.key);
    chunk.row_groups.push_back(id);
    chunk.types.emplace_back(type);
    chunk.state_keys.emplace_back(state_key);
    chunk.events.push_back(groups.event_id(row.event));
  }
}

core::Result<std::string> digests(db::Transaction& transaction, const Chunk& chunk) {
  auto rows = transaction.exec(db::sql::state_digests, {{"groups", db::bind_array(chunk.groups)}});
  if (!rows) return core::fail(rows.error());
  std::string text;
  for (const db::Row& row : *rows) text += row.text("id") + " " + row.text("keys") + " " + row.text("digest") + "\n";
  return text;
}

}  // namespace

core::Result<std::shared_ptr<RoomState>> read_state(db::Transaction& transaction, const std::string& room_id) {
  auto state = std::make_shared<RoomState>();
  auto newest = transaction.exec(db::sql::state_newest, {{"room", room_id}});
  if (!newest) return core::fail(newest.error());
  const std::int64_t first_fixed = newest->front().integer("id");
  for (std::int64_t after = 0;;) {
    if (state->groups.row_count() > most_rows) {
      state->whole = false;
      break;
    }
    auto rows = transaction.exec(db::sql::state_groups_of, {{"room", room_id}, {"after", db::bind(after)}});
    if (!rows) return core::fail(rows.error());
    if (rows->empty()) break;
    after = take_page(*rows, first_fixed, after, state->groups);
  }
  if (auto checked = state->groups.finish(); !checked) return core::fail(checked.error());
  return state;
}

std::vector<Chunk> chunks_of(const RoomState& state, const compression::Compression& compression) {
  std::vector<Chunk> chunks;
  const std::size_t keys = std::max<std::size_t>(1, state.groups.keys());
  const std::size_t groups_at_a_time = std::clamp<std::size_t>(keys_at_a_time / keys, 1, most_groups_at_a_time);
  for (const compression::ChangedGroup& changed : compression.changed) {
    if (chunks.empty() || chunks.back().groups.size() >= groups_at_a_time) chunks.emplace_back();
    add_to(chunks.back(), state.groups, changed);
  }
  for (Chunk& chunk : chunks) {
    std::sort(chunk.needed.begin(), chunk.needed.end());
    chunk.needed.erase(std::unique(chunk.needed.begin(), chunk.needed.end()), chunk.needed.end());
  }
  return chunks;
}

core::Result<std::int64_t> rewrite(db::Transaction& transaction, const std::string& room_id, const Chunk& chunk) {
  auto locked = transaction.exec(db::sql::state_lock, {{"groups", db::bind_array(chunk.needed)}, {"room", room_id}});
  if (!locked) return core::fail(locked.error());
  if (locked->size() != chunk.needed.size()) return changed_meanwhile("Synapse uses or deletes one of them");
  auto bumped = transaction.exec(db::sql::state_bump, {{"groups", db::bind_array(chunk.needed)}});
  if (!bumped) return core::fail(bumped.error());
  const auto before = digests(transaction, chunk);
  if (!before) return core::fail(before.error());
  auto counts = transaction.exec(db::sql::state_rewrite,
                                 {{"groups", db::bind_array(chunk.groups)}, {"edge_groups", db::bind_array(chunk.edge_groups)},
                                  {"predecessors", db::bind_array(chunk.predecessors)}, {"room", room_id}, {"row_groups", db::bind_array(chunk.row_groups)},
                                  {"types", db::bind_array(chunk.types)}, {"state_keys", db::bind_array(chunk.state_keys)},
                                  {"events", db::bind_array(chunk.events)}});
  if (!counts) return core::fail(counts.error());
  const std::int64_t gone = counts->front().integer("gone"), written = counts->front().integer("written");
  if (gone != chunk.rows_before || counts->front().integer("gone_edges") != chunk.edges_before) return changed_meanwhile("other rows than were read");
  const auto after = digests(transaction, chunk);
  if (!after) return core::fail(after.error());
  if (*before != *after) return changed_meanwhile("a state would be another one");
  return gone - written;
}

}  // namespace steward::commands
