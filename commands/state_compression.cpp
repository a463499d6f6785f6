#include "commands/state_compression.hpp"

#include <algorithm>

#include "sql/statements.hpp"

namespace steward::commands {

using compression::nowhere;
using compression::Place;
using compression::StateGroups;

namespace {

constexpr std::int64_t most_rows = 20'000'000;  // eight bytes each
// Rows that one transaction reads, takes away and writes.
constexpr std::size_t first_rows = 5'000, least_rows = 200, largest_rows = 8'000;  // each as text three times over while it is written
constexpr std::chrono::milliseconds least_pause{5}, longest_pause{2000};
constexpr auto aim = std::chrono::milliseconds(250);

// The planner takes these short statements for expensive ones; compiling them costs 200 ms, running them 10.
constexpr const char* without_compiling = "SET LOCAL jit = off";

core::Result<std::int64_t> changed_meanwhile(const char* why) {
  return core::fail(core::Code::conflict, "State groups changed meanwhile", why, "they were left as they are; plan again to try again");
}

// Rows of state_groups_of or state_chains, page by page; a group may go on on the next page.
class Reader {
 public:
  explicit Reader(StateGroups& groups) : groups_(groups) {}
  // False: there are more than `most` rows already, and the next group was not begun.
  bool take(const db::Rows& rows, std::int64_t most) {
    for (const db::Row& row : rows) {
      const std::int64_t id = row.integer("id");
      const auto named = row.optional_integer("prev_state_group");
      if (id != id_ || named != predecessor_) {
        if (groups_.row_count() > most) return false;
        groups_.add_group(id, named, row.boolean("in_use"));
      }
      id_ = id;
      predecessor_ = named;
      if (!row.is_null("type")) groups_.add_row(row.text("type"), row.text("state_key"), row.text("event_id"));
    }
    return true;
  }

 private:
  StateGroups& groups_;
  std::optional<std::int64_t> id_, predecessor_;
};

void keep_needed(const StateGroups& groups, Place place, Chunk& chunk) {
  if (place != nowhere) chunk.needed.push_back(std::to_string(groups.groups()[place].id));
}

void add_to(Chunk& chunk, const StateGroups& groups, const compression::ChangedGroup& changed) {
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

core::Result<StateGroups> chains_now(db::Transaction& transaction, const Chunk& chunk, const StateGroups& read) {
  auto rows = transaction.exec(db::sql::state_chains, {{"groups", db::bind_array(chunk.groups)}});
  if (!rows) return core::fail(rows.error());
  StateGroups chains = StateGroups::numbered_like(read);
  Reader(chains).take(*rows, INT64_MAX);
  if (auto checked = chains.finish(); !checked) return core::fail(checked.error());
  return chains;
}

bool same_states(const Chunk& chunk, const StateGroups& before, const StateGroups& after) {
  return std::all_of(chunk.groups.begin(), chunk.groups.end(), [&](const std::string& id) {
    const Place was = before.find(std::stoll(id)), is = after.find(std::stoll(id));
    return was != nowhere && is != nowhere && before.collapse(was) == after.collapse(is);
  });
}

}  // namespace

core::Result<std::shared_ptr<RoomState>> read_state(db::Transaction& transaction, const std::string& room_id) {
  auto set = transaction.exec(without_compiling);
  if (!set) return core::fail(set.error());
  auto opened = transaction.exec(db::sql::state_groups_of, {{"room", room_id}});
  if (!opened) return core::fail(opened.error());
  auto state = std::make_shared<RoomState>();
  Reader reader(state->groups);
  while (state->whole) {
    auto rows = transaction.exec(db::sql::state_fetch, {});
    if (!rows) return core::fail(rows.error());
    if (rows->empty()) break;
    state->whole = reader.take(*rows, most_rows);
  }
  if (auto checked = state->groups.finish(); !checked) return core::fail(checked.error());
  return state;
}

Chunks::Chunks(const RoomState& state, const compression::Compression& compression) : state_(state), compression_(compression), rows_(first_rows) {}

std::optional<Chunk> Chunks::next() {
  const auto& changed = compression_.changed;
  if (at_ == changed.size()) return std::nullopt;
  begun_ = at_;
  Chunk chunk;
  for (std::size_t rows = 0; at_ < changed.size() && rows < rows_; ++at_) {
    add_to(chunk, state_.groups, changed[at_]);
    rows = static_cast<std::size_t>(chunk.rows_before) + chunk.row_groups.size();
  }
  std::sort(chunk.needed.begin(), chunk.needed.end());
  chunk.needed.erase(std::unique(chunk.needed.begin(), chunk.needed.end()), chunk.needed.end());
  return chunk;
}

void Chunks::took(std::chrono::milliseconds time) {
  if (time > aim) rows_ = std::max(least_rows, rows_ / 2);
  else if (time < aim / 3) rows_ = std::min(largest_rows, rows_ * 2);
}

bool Chunks::again_by_one() {
  if (at_ - begun_ <= 1) return false;
  at_ = begun_;
  rows_ = 1;
  return true;
}

// A third of that time; twice as long where the server is slow.
std::chrono::milliseconds pause_after(std::chrono::milliseconds taken) { return std::clamp(taken > aim ? taken * 2 : taken / 3, least_pause, longest_pause); }

core::Result<std::int64_t> rewrite(db::Transaction& transaction, const std::string& room_id, const Chunk& chunk, const StateGroups& read) {
  auto set = transaction.exec(without_compiling);
  if (!set) return core::fail(set.error());
  auto locked = transaction.exec(db::sql::state_lock, {{"groups", db::bind_array(chunk.needed)}, {"room", room_id}});
  if (!locked) return core::fail(locked.error());
  if (locked->size() != chunk.needed.size()) return changed_meanwhile("Synapse uses or deletes one of them");
  auto bumped = transaction.exec(db::sql::state_bump, {{"groups", db::bind_array(chunk.needed)}});
  if (!bumped) return core::fail(bumped.error());
  const auto before = chains_now(transaction, chunk, read);
  if (!before) return core::fail(before.error());
  auto counts = transaction.exec(db::sql::state_rewrite,
                                 {{"groups", db::bind_array(chunk.groups)}, {"edge_groups", db::bind_array(chunk.edge_groups)},
                                  {"predecessors", db::bind_array(chunk.predecessors)}, {"room", room_id}, {"row_groups", db::bind_array(chunk.row_groups)},
                                  {"types", db::bind_array(chunk.types)}, {"state_keys", db::bind_array(chunk.state_keys)},
                                  {"events", db::bind_array(chunk.events)}});
  if (!counts) return core::fail(counts.error());
  const std::int64_t gone = counts->front().integer("gone"), written = counts->front().integer("written");
  if (gone != chunk.rows_before || counts->front().integer("gone_edges") != chunk.edges_before) return changed_meanwhile("other rows than were read");
  const auto after = chains_now(transaction, chunk, read);
  if (!after) return core::fail(after.error());
  if (!same_states(chunk, *before, *after)) return changed_meanwhile("a state would be another one");
  return gone - written;
}

}  // namespace steward::commands
