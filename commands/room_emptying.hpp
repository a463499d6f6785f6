// clean-rooms --method hybrid on one large room: blocked, emptied in short transactions, then deleted by Synapse's API, then the
// previous block state again. One per run; I/O thread, its SQL on the work session. Rooms that are not large go to RoomDeletion.
//
// Emptied newest events first, each event with every row that comes and goes with it: whatever is left at any moment is a
// shorter history of the room, whole in itself (an event's predecessors, authorising events and state are older than it). Then
// the state groups, the newest first, so that none names a predecessor that is gone.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/tasks.hpp"
#include "command/context.hpp"
#include "commands/leftovers.hpp"
#include "commands/room_deletion.hpp"
#include "commands/room_selection.hpp"
#include "db/room_tables.hpp"
#include "jobs/progress.hpp"

namespace steward::commands {

// What the journal remembers of a large room, in its item's note.
struct EmptyingNote {
  bool blocking = false;        // we may have blocked it
  bool blocked_before = false;  // an admin had blocked it already
  bool begun = false;           // rows may be gone: it is finished, not judged again
  TableRows rows;               // gone so far

  std::string text() const;
  static std::optional<EmptyingNote> read(const std::string& note);  // nullopt: not a large room
};

class RoomEmptying {
 public:
  RoomEmptying(command::Context& context, db::Session& work, jobs::Progress& progress, RoomChoice choice, db::RoomTablesHere tables,
               RoomDeletion& deletion);

  // One large room is emptied at a time. A room for which a reason has come up before its first batch is kept, unblocked
  // again. Asked to stop, it gives the room back within a second; a begun one stays blocked until the job goes on.
  boost::asio::awaitable<jobs::ItemOutcome> act(db::ItemRow item);
  boost::asio::awaitable<jobs::ItemOutcome> settle(db::ItemRow item);

 private:
  struct Pace;
  class Turn;

  boost::asio::awaitable<std::optional<jobs::ItemOutcome>> look_and_block(db::ItemRow& item, EmptyingNote& note);
  boost::asio::awaitable<core::Result<std::optional<RoomFacts>>> look(std::string room_id);
  boost::asio::awaitable<std::optional<jobs::ItemOutcome>> empty(db::ItemRow& item, EmptyingNote& note);
  boost::asio::awaitable<std::optional<jobs::ItemOutcome>> empty_events(db::ItemRow& item, EmptyingNote& note);
  boost::asio::awaitable<std::optional<jobs::ItemOutcome>> empty_state(db::ItemRow& item, EmptyingNote& note);
  boost::asio::awaitable<std::optional<jobs::ItemOutcome>> after_batch(const core::Result<TableRows>& batch, db::ItemRow& item, EmptyingNote& note, Pace& pace);
  boost::asio::awaitable<jobs::ItemOutcome> finish(db::ItemRow item, EmptyingNote note, jobs::ItemOutcome outcome);
  boost::asio::awaitable<core::Result<void>> set_block(std::string room_id, bool block);
  boost::asio::awaitable<core::Result<void>> remember(db::ItemRow& item, const EmptyingNote& note);
  jobs::ItemOutcome gave_up(const core::Error& error);

  command::Context& context_;
  db::Session& work_;
  jobs::Progress& progress_;
  RoomDeletion& deletion_;
  RoomDeletion finishing_;            // judges by nothing but local members: of rooms that were begun
  std::shared_ptr<RoomWatch> watch_;  // only touched on the work session's thread
  db::RoomTablesHere tables_;
  bool busy_ = false;
  async::Signal free_;
};

}  // namespace steward::commands
