#include "commands/room_selection.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {
namespace {

using core::Result;
using db::Transaction;

struct Words { Reason reason; std::string_view word, text; };
constexpr std::array words{
    Words{Reason::joined, "joined", "with a local member"},
    Words{Reason::invited, "invited", "with an invited local user"},
    Words{Reason::knocked, "knocked", "that a local user asked to join"},
    Words{Reason::joining, "joining", "being joined right now"},
    Words{Reason::receiving, "receiving", "receiving events right now"},
    Words{Reason::working, "working", "that a task of Synapse works on"},
    Words{Reason::recalculated, "recalculated", "being recalculated by Synapse"},
    Words{Reason::protected_, "protected", "protected"},
    Words{Reason::empty, "empty", "without any event yet"},
    Words{Reason::undated, "undated", "of unknown age"},
    Words{Reason::recent, "recent", "used too recently"},
    Words{Reason::outside, "outside", "that the policy is not about"},
    Words{Reason::left, "left", "left but not forgotten"},
    Words{Reason::aliased, "aliased", "with a local alias"},
    Words{Reason::published, "published", "published in the directory"},
    Words{Reason::spaces, "spaces", "spaces or listed in one"},
    Words{Reason::upgraded, "upgraded", "upgraded to a newer room"},
    Words{Reason::reported, "reported", "with an abuse report"},
    Words{Reason::delayed, "delayed", "with a delayed event to be sent"},
    Words{Reason::blocked, "blocked", "blocked by an admin"},
};

// A reason's statement; `table` is the one that not every schema has.
struct ReasonStatement { Reason reason; const db::Statement* statement; const char* table; };
const std::vector<ReasonStatement>& reason_statements() {
  static const std::vector<ReasonStatement> statements{
      {Reason::invited, &db::sql::rooms_kept_invited, ""},
      {Reason::knocked, &db::sql::rooms_kept_knocked, ""},
      {Reason::joining, &db::sql::rooms_kept_joining, ""},
      {Reason::receiving, &db::sql::rooms_kept_receiving, ""},
      {Reason::working, &db::sql::rooms_kept_working, "scheduled_tasks"},
      {Reason::recalculated, &db::sql::rooms_kept_recalculated, "sliding_sync_joined_rooms_to_recalculate"},
      {Reason::protected_, &db::sql::rooms_kept_notices, ""},
      {Reason::left, &db::sql::rooms_kept_left, ""},
      {Reason::aliased, &db::sql::rooms_kept_aliased, ""},
      {Reason::published, &db::sql::rooms_kept_published, ""},
      {Reason::spaces, &db::sql::rooms_kept_spaces, ""},
      {Reason::reported, &db::sql::rooms_kept_reported, ""},
      {Reason::reported, &db::sql::rooms_kept_room_reported, "room_reports"},
      {Reason::delayed, &db::sql::rooms_kept_delayed, "delayed_events"},
      {Reason::blocked, &db::sql::rooms_kept_blocked, ""},
  };
  return statements;
}

constexpr auto refresh_interval = std::chrono::minutes(1);
constexpr std::int64_t few_rooms = 2000;
// Looking at one room by index costs about as much as this many events in one pass over the table.
constexpr std::int64_t events_per_look = 100;

// The reasons whose tables this server has.
Result<std::vector<ReasonStatement>> statements_here(Transaction& transaction) {
  std::vector<std::string> optional;
  for (const ReasonStatement& each : reason_statements())
    if (*each.table != '\0') optional.emplace_back(each.table);
  auto rows = transaction.exec("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL", {db::bind_array(optional)});
  if (!rows) return core::fail(rows.error());
  std::set<std::string> present;
  for (const db::Row& row : *rows) present.insert(row.text("name"));
  std::vector<ReasonStatement> here;
  for (const ReasonStatement& each : reason_statements())
    if (*each.table == '\0' || present.contains(each.table)) here.push_back(each);
  return here;
}

// Ids as they are, local aliases by what they point at.
Result<std::set<std::string>> protected_ids(Transaction& transaction, const RoomChoice& choice) {
  std::set<std::string> ids;
  std::vector<std::string> aliases;
  for (const std::string& room : choice.protected_rooms) {
    if (room.starts_with('#')) aliases.push_back(room);
    else if (!room.empty()) ids.insert(room);
  }
  if (aliases.empty()) return ids;
  auto rows = transaction.exec(db::sql::rooms_aliases_to_ids, {{"aliases", db::bind_array(aliases)}});
  if (!rows) return core::fail(rows.error());
  for (const db::Row& row : *rows) ids.insert(row.text("room_id"));
  return ids;
}

void take_activity(RoomFacts& room, const db::Row& row, const RoomChoice& choice) {
  room.events = row.integer("events");
  room.encrypted = row.boolean("encrypted");
  if (!row.is_null("idle")) room.idle = std::chrono::milliseconds(row.integer("idle"));
  if (row.boolean("upgraded")) room.reasons.insert(Reason::upgraded);
  if (room.events == 0) room.reasons.insert(Reason::empty);
  else if (!room.idle) room.reasons.insert(Reason::undated);
  else if (*room.idle < choice.older) room.reasons.insert(Reason::recent);
}

bool beyond_include(const RoomFacts& room) { return !room.reasons.empty() && *room.reasons.begin() < first_includable; }

using Index = std::unordered_map<std::string, RoomFacts*>;

Result<void> add_reasons(Transaction& transaction, const RoomChoice& choice, Index& index) {
  const auto mark = [&index](const Result<db::Rows>& rows, Reason reason) -> Result<void> {
    if (!rows) return core::fail(rows.error());
    for (const db::Row& row : *rows)
      if (const auto found = index.find(row.text("room_id")); found != index.end()) found->second->reasons.insert(reason);
    return {};
  };
  auto statements = statements_here(transaction);
  if (!statements) return core::fail(statements.error());
  for (const ReasonStatement& each : *statements)
    if (auto done = mark(transaction.exec(*each.statement, {{"rooms", std::nullopt}}), each.reason); !done) return done;
  auto joined = transaction.exec(db::sql::rooms_kept_joined, {{"rooms", std::nullopt}, {"suffix", ":" + choice.server_name}});
  if (auto done = mark(joined, Reason::joined); !done) return done;
  if (auto done = mark(transaction.exec(db::sql::rooms_space_children, {}), Reason::spaces); !done) return done;
  auto ids = protected_ids(transaction, choice);
  if (!ids) return core::fail(ids.error());
  for (const std::string& id : *ids)
    if (const auto found = index.find(id); found != index.end()) found->second->reasons.insert(Reason::protected_);
  return {};
}

// One pass over all events, or a look at each room: whichever the planner's figures make cheaper.
Result<void> add_activity(Transaction& transaction, const RoomChoice& choice, std::optional<std::int64_t> all_events, Index& index) {
  std::vector<std::string> open;
  for (const auto& [id, room] : index)
    if (!beyond_include(*room)) open.push_back(id);
  if (open.empty()) return {};
  const auto count = static_cast<std::int64_t>(open.size());
  const bool look_at_each = all_events ? count * events_per_look < *all_events : count <= few_rooms;
  auto rows = look_at_each ? transaction.exec(db::sql::rooms_activity_some, {{"rooms", db::bind_array(open)}})
                           : transaction.exec(db::sql::rooms_activity_all, {});
  if (!rows) return core::fail(rows.error());
  std::set<RoomFacts*> seen;
  for (const db::Row& row : *rows) {
    const auto found = index.find(row.text("room_id"));
    if (found == index.end()) continue;
    take_activity(*found->second, row, choice);
    seen.insert(found->second);
  }
  for (const std::string& id : open)
    if (RoomFacts* room = index.at(id); !seen.contains(room)) room->reasons.insert(Reason::empty);
  return {};
}

Result<void> add_untold_spaces(Transaction& transaction, const RoomChoice& choice, Index& index) {
  std::vector<std::string> open;
  for (const auto& [id, room] : index)
    if (!kept_for(*room, choice)) open.push_back(id);
  auto spaces = untold_spaces(transaction, open);
  if (!spaces) return core::fail(spaces.error());
  for (const std::string& id : *spaces) index.at(id)->reasons.insert(Reason::spaces);
  return {};
}

bool is_outside(const RoomFacts& room, const RoomFilter& filter) {
  return (filter.min_events && room.events < *filter.min_events) || (filter.max_events && room.events > *filter.max_events);
}

// By size from what is known already; by people only of the rooms that would go.
Result<void> add_outside(Transaction& transaction, const RoomChoice& choice, Index& index) {
  const RoomFilter& filter = choice.filter;
  std::vector<std::string> open;
  for (const auto& [id, room] : index) {
    if (is_outside(*room, filter)) room->reasons.insert(Reason::outside);
    if (!kept_for(*room, choice)) open.push_back(id);
  }
  if (open.empty() || (!filter.max_members && !filter.direct)) return {};
  auto rows = transaction.exec(db::sql::rooms_people, {{"rooms", db::bind_array(open)}});
  if (!rows) return core::fail(rows.error());
  for (const db::Row& row : *rows) {
    const bool many = filter.max_members && row.integer("members") > *filter.max_members;
    const bool other = filter.direct && row.boolean("direct") != *filter.direct;
    if (many || other) index.at(row.text("room_id"))->reasons.insert(Reason::outside);
  }
  return {};
}

}  // namespace

std::string_view word(Reason reason) { return words.at(static_cast<std::size_t>(reason)).word; }
std::string_view explanation(Reason reason) { return words.at(static_cast<std::size_t>(reason)).text; }

std::optional<Reason> parse_reason(std::string_view text) {
  for (const Words& each : words)
    if (each.word == text) return each.reason;
  return std::nullopt;
}

std::vector<std::string> includable_words() {
  std::vector<std::string> names;
  for (const Words& each : words)
    if (each.reason >= first_includable) names.emplace_back(each.word);
  return names;
}

std::optional<Reason> kept_for(const RoomFacts& room, const RoomChoice& choice) {
  for (const Reason reason : room.reasons)
    if (!choice.included.contains(reason)) return reason;
  return std::nullopt;
}

Result<RoomSelection> select_rooms(Transaction& transaction, const RoomChoice& choice) {
  // Compiling takes longer than any of these statements runs; sorting two million rows on disk, too.
  if (auto set = transaction.exec("SET LOCAL jit = off; SET LOCAL work_mem = '64MB'"); !set) return core::fail(set.error());
  RoomSelection selection;
  auto counts = transaction.exec(db::sql::rooms_counts, {});
  if (!counts) return core::fail(counts.error());
  const db::Row& count = counts->front();
  selection.all_rooms = count.integer("rooms");
  selection.local_joins = count.integer("joins");
  selection.local_joins_by_stats = count.integer("joins_by_stats");
  std::optional<std::int64_t> all_events;
  if (!count.is_null("events")) all_events = count.integer("events");

  auto unjoined = transaction.exec(db::sql::rooms_unjoined, {{"rooms", std::nullopt}});
  if (!unjoined) return core::fail(unjoined.error());
  selection.rooms.reserve(unjoined->size());
  for (const db::Row& row : *unjoined) {
    RoomFacts& room = selection.rooms.emplace_back();
    room.room_id = row.text("room_id");
    room.version = row.text("version");
  }
  Index index;
  index.reserve(selection.rooms.size());
  for (RoomFacts& room : selection.rooms) index.emplace(room.room_id, &room);
  if (auto done = add_reasons(transaction, choice, index); !done) return core::fail(done.error());
  if (auto done = add_activity(transaction, choice, all_events, index); !done) return core::fail(done.error());
  if (auto done = add_untold_spaces(transaction, choice, index); !done) return core::fail(done.error());
  if (!choice.filter.empty())
    if (auto done = add_outside(transaction, choice, index); !done) return core::fail(done.error());
  std::sort(selection.rooms.begin(), selection.rooms.end(), [](const RoomFacts& a, const RoomFacts& b) {
    if (a.idle != b.idle) return a.idle > b.idle;
    return a.room_id < b.room_id;
  });
  return selection;
}

Result<void> check_memberships(const RoomSelection& selection) {
  if (selection.local_joins == 0)
    return core::fail(core::Code::conflict, "No user of this server is in any room", "local_current_membership holds no join: that looks like a fault, not like unused rooms",
                      "check that the bot is connected to the right database");
  const std::int64_t difference = std::abs(selection.local_joins - selection.local_joins_by_stats);
  const std::int64_t larger = std::max(selection.local_joins, selection.local_joins_by_stats);
  // A server that keeps no statistics has nothing to compare with; a few joins are always still to be counted.
  if (selection.local_joins_by_stats > 0 && difference > 10 && difference * 20 > larger)
    return core::fail(core::Code::conflict, "Synapse's tables disagree about who is in which room",
                      "local_current_membership counts " + core::format_count(selection.local_joins) + " joins, room_stats_current " +
                          core::format_count(selection.local_joins_by_stats),
                      "wait until Synapse's statistics have caught up, or let it count again (the job populate_stats_process_rooms)");
  return {};
}

Result<void> RoomWatch::refresh(Transaction& transaction) {
  const auto now = std::chrono::steady_clock::now();
  if (!statement_.empty() && now - refreshed_ < refresh_interval) return {};
  auto statements = statements_here(transaction);
  if (!statements) return core::fail(statements.error());
  // Every one of them has the rooms as its first parameter and the name's suffix, if any, as its second.
  statement_ = "SELECT 'present' AS reason, room_id FROM rooms WHERE room_id = ANY ($1::text[])";
  const auto add = [this](std::string_view name, const db::Statement& statement) {
    statement_ += " UNION ALL SELECT '" + std::string(name) + "', room_id FROM (" + std::string(statement.text) + ") AS " + std::string(statement.name);
  };
  for (const ReasonStatement& each : *statements) add(word(each.reason), *each.statement);
  add("unjoined", db::sql::rooms_unjoined);
  add(word(Reason::joined), db::sql::rooms_kept_joined);
  add(word(Reason::upgraded), db::sql::rooms_kept_upgraded);
  auto ids = protected_ids(transaction, choice_);
  if (!ids) return core::fail(ids.error());
  protected_ = std::move(*ids);
  // The position first: what is added to a space while the spaces are read is then found by its event.
  auto position = transaction.exec(db::sql::rooms_newest_position, {});
  if (!position) return core::fail(position.error());
  position_ = position->front().integer("position");
  auto children = transaction.exec(db::sql::rooms_space_children, {});
  if (!children) return core::fail(children.error());
  std::set<std::string> spaces;
  for (const db::Row& row : *children) spaces.insert(row.text("space"));
  spaces_.assign(spaces.begin(), spaces.end());
  refreshed_ = now;
  return {};
}

Result<bool> RoomWatch::in_space(Transaction& transaction, const std::string& room_id) {
  auto rows = transaction.exec(db::sql::rooms_kept_child, {{"spaces", db::bind_array(spaces_)}, {"room", room_id}, {"since", db::bind(position_)}});
  if (!rows) return core::fail(rows.error());
  return !rows->empty();
}

Result<std::optional<RoomFacts>> RoomWatch::look(Transaction& transaction, const std::string& room_id) {
  if (auto fresh = refresh(transaction); !fresh) return core::fail(fresh.error());
  const std::vector<std::string> one{room_id};
  auto rows = transaction.exec_prepared(statement_, {db::bind_array(one), ":" + choice_.server_name});
  if (!rows) return core::fail(rows.error());
  RoomFacts room;
  room.room_id = room_id;
  bool present = false, unjoined = false;
  for (const db::Row& row : *rows) {
    const std::string found = row.text("reason");
    if (found == "present") present = true;
    else if (found == "unjoined") unjoined = true;
    else if (const auto reason = parse_reason(found)) room.reasons.insert(*reason);
  }
  if (!present) return std::nullopt;
  if (!unjoined) room.reasons.insert(Reason::joined);
  if (protected_.contains(room_id)) room.reasons.insert(Reason::protected_);
  auto listed = in_space(transaction, room_id);
  if (!listed) return core::fail(listed.error());
  if (*listed) room.reasons.insert(Reason::spaces);
  auto activity = transaction.exec(db::sql::rooms_activity_some, {{"rooms", db::bind_array(one)}});
  if (!activity) return core::fail(activity.error());
  take_activity(room, activity->front(), choice_);
  auto spaces = untold_spaces(transaction, one);
  if (!spaces) return core::fail(spaces.error());
  if (!spaces->empty()) room.reasons.insert(Reason::spaces);
  return room;
}

}  // namespace steward::commands
