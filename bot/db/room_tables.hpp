// Every table of Synapse's that holds rows of a room or an event, and what a deletion does with them: the one registry, checked
// against the live catalogue. Used by the schema guard and by the commands that delete rooms or look for orphans. Plain data
// and text, any thread; what takes a Transaction runs on the session's thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::db {

enum class RoomAction {
  purge,    // Synapse's own purge of a room deletes its rows
  orphan,   // Synapse's purge leaves its rows behind; they belong to nothing then and may do harm
  cascade,  // goes by itself with its event, room, user or device (ON DELETE CASCADE)
  keep,     // stays: blocks, evidence, bookkeeping of Synapse's own
  stream,   // one of Synapse's streams: never touched
  blocks,   // must hold no row of the room, else a purge fails
  foreign   // another program's
};

// How the rows of a room are found.
enum class RoomKey {
  room,         // room_id
  event,        // event_id of an event of the room
  state_group,  // state_group of a state group of the room
  alias,        // room_alias of a local alias of the room
  auth_chain    // origin_chain_id, origin_sequence_number of an event of the room
};

struct RoomTable {
  std::string_view name;
  RoomAction action = RoomAction::keep;
  RoomKey key = RoomKey::room;
  std::string_view event = {};  // the column with the event that a row comes and goes with; "": none
  int since = 0;                // the schema version that brought it (0: before the oldest supported one)
};

const std::vector<RoomTable>& room_tables();
const RoomTable* find_room_table(std::string_view name);  // nullptr: not registered

// The registry as this database has it.
struct RoomTablesHere {
  std::vector<const RoomTable*> deletion;  // purge and orphan, in an order that every foreign key allows
  std::vector<std::string> missing;        // that this schema version should have; skipped, to be named
  std::vector<std::string> unknown;        // tables with a room_id or event_id that the registry lacks: to be named, never deleted from
};
// conflict: the foreign keys form a circle.
core::Result<RoomTablesHere> room_tables_here(Transaction& transaction, int schema_version);

// Tables that the registry lacks and that point at one we delete from: a deletion would fail on their rows, or take them along.
core::Result<std::vector<std::string>> unknown_references(Transaction& transaction);

// DELETE statements for tables of the actions purge and orphan. By rooms: $1 is a text[] of room ids, for every key; run in
// the order of RoomTablesHere::deletion. By events: $1 is a text[] of event ids; for tables that have `event` or hang on an
// auth chain, and for `events` itself.
std::string delete_by_rooms(const RoomTable& table);
std::string delete_by_events(const RoomTable& table);

}  // namespace steward::db
