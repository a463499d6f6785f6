// State groups of a room between the database and compression/: read, cut into chunks, rewritten chunk by chunk, each in one
// short transaction that proves itself. Used by compress-state. The functions that take a transaction run on its session's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compression/compress.hpp"
#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::commands {

struct RoomState {
  compression::StateGroups groups;
  bool whole = true;  // false: the room holds more rows than are taken at once; these are its oldest groups
};

// The newest groups (sql/state_newest.sql), and what Synapse is about to delete or just uses, are marked as fixed. conflict: groups that make no
// sense, by name.
core::Result<std::shared_ptr<RoomState>> read_state(db::Transaction& transaction, const std::string& room_id);

struct Chunk {
  std::vector<std::string> groups;                          // to rewrite
  std::vector<std::string> needed;                          // these, and their old and new predecessors: none may go meanwhile
  std::vector<std::string> edge_groups, predecessors;       // new edges
  std::vector<std::string> row_groups, types, state_keys, events;  // new rows
  std::int64_t rows_before = 0, edges_before = 0;           // as they were read
};

std::vector<Chunk> chunks_of(const RoomState& state, const compression::Compression& compression);

// Rewrites the chunk. Its states are collapsed by SQL before and after in the same transaction; anything but equal states,
// and anything that changed since it was read, is an error (conflict), and then nothing of it is written.
// Returns how many rows fewer there are.
core::Result<std::int64_t> rewrite(db::Transaction& transaction, const std::string& room_id, const Chunk& chunk);

}  // namespace steward::commands
