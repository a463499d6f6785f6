// State groups of a room between the database and compression/: read, cut into chunks, rewritten chunk by chunk, each in one
// short transaction that proves itself. Used by compress-state and the bench. The functions that take a transaction run on its session's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
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

// As it was at one moment. What Synapse is about to delete or just uses is marked as fixed. conflict: groups that make no sense,
// by name.
core::Result<std::shared_ptr<RoomState>> read_state(db::Transaction& transaction, const std::string& room_id);

struct Chunk {
  std::vector<std::string> groups;                          // to rewrite
  std::vector<std::string> needed;                          // these, and their old and new predecessors: none may go meanwhile
  std::vector<std::string> edge_groups, predecessors;       // new edges
  std::vector<std::string> row_groups, types, state_keys, events;  // new rows
  std::int64_t rows_before = 0, edges_before = 0;           // as they were read
};

// Cuts what is to be rewritten so that each transaction takes about a quarter of a second, by the time of the one before.
class Chunks {
 public:
  Chunks(const RoomState& state, const compression::Compression& compression);
  std::optional<Chunk> next();  // nullopt: that was all
  void took(std::chrono::milliseconds time);
  // The last chunk was refused: its groups come again one by one, so that only what is in the way is left out. False: it was one.
  bool again_by_one();
  std::size_t done() const { return at_; }  // groups handed out so far

 private:
  const RoomState& state_;
  const compression::Compression& compression_;
  std::size_t begun_ = 0, at_ = 0, rows_;
};

// How long to leave the database to others after a transaction that took so long.
std::chrono::milliseconds pause_after(std::chrono::milliseconds taken);

// Rewrites the chunk. Its groups and all they are built on are read before and after in the same transaction and collapsed here;
// anything but equal states, and anything that changed since it was read, is an error (conflict), and then nothing of it is
// written. `read`: the groups it was cut from; this transaction may use them alone. Returns how many rows fewer there are.
core::Result<std::int64_t> rewrite(db::Transaction& transaction, const std::string& room_id, const Chunk& chunk, const compression::StateGroups& read);

}  // namespace steward::commands
