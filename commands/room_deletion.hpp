// The act of clean-rooms on one room: look again, ask Synapse to delete it, wait, clean what is left over.
// One per run; its coroutines run on the I/O thread, several at a time, its SQL on the work session.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "async/tasks.hpp"
#include "command/context.hpp"
#include "commands/leftovers.hpp"
#include "commands/room_selection.hpp"
#include "jobs/progress.hpp"

namespace steward::commands {

class RoomDeletion {
 public:
  // `in_flight`: deletions at once in Synapse; more act() than that prepare the next room or tidy up after one meanwhile.
  RoomDeletion(command::Context& context, db::Session& work, jobs::Progress& progress, RoomChoice choice, int in_flight);

  // Keeps a room for which a reason has come up since the plan; else deletes it, once. An outage is waited for. Asked to
  // stop, it gives the room back within a second and notes what Synapse still finishes.
  boost::asio::awaitable<jobs::ItemOutcome> act(db::ItemRow item);
  // What became of a room that was being deleted when the bot died.
  boost::asio::awaitable<jobs::ItemOutcome> settle(db::ItemRow item);

  // Labels of rooms that Synapse was still deleting when the job was stopped.
  const std::vector<std::string>& unfinished() const { return unfinished_; }

 private:
  struct Holdings {
    TableRows rows;
    LeftoverNames names;
  };
  struct Before {
    std::optional<RoomFacts> room;  // nullopt: gone
    Holdings holdings;
    std::string task, task_status;  // Synapse's newest deletion of the room, "" without one
  };
  using Slot = std::shared_ptr<void>;
  enum class End { deleted, failed, running, unknown };
  struct Waited { End end = End::unknown; std::string text; };

  boost::asio::awaitable<core::Result<Holdings>> count(std::string room_id);
  boost::asio::awaitable<core::Result<Before>> look(std::string room_id);
  boost::asio::awaitable<std::optional<jobs::ItemOutcome>> attempt(db::ItemRow item, bool settling);
  boost::asio::awaitable<std::optional<jobs::ItemOutcome>> ask_and_wait(db::ItemRow item, Before before, Slot slot);
  boost::asio::awaitable<Waited> wait_for(std::string room_id, std::string task);
  boost::asio::awaitable<Waited> look_up(std::string room_id, std::string old_task);
  boost::asio::awaitable<Waited> ask_synapse(std::string room_id, std::string task);
  boost::asio::awaitable<jobs::ItemOutcome> ended(db::ItemRow item, Before before, Waited waited, std::chrono::steady_clock::time_point started);
  boost::asio::awaitable<jobs::ItemOutcome> persist(db::ItemRow item, bool settling);

  command::Context& context_;
  db::Session& work_;
  jobs::Progress& progress_;
  async::Slots slots_;
  std::chrono::milliseconds usual_{20};  // how long Synapse takes at least for one of these rooms, as far as is known
  std::shared_ptr<RoomWatch> watch_;  // only touched on the work session's thread
  std::vector<std::string> unfinished_;
  std::map<std::string, int> lost_requests_;  // by room: answered by nobody, begun by nobody
};

// Why a room of the plan was kept after all, for the journal and the receipt.
std::string kept_text(Reason reason);

// "events=18,event_json=18;left:event_labels=3": how a deleted room's rows stand in the journal, so that the receipt's totals
// survive a crash.
std::string write_rows(const TableRows& rows, const TableRows& leftovers);
void read_rows(const std::string& text, TableRows& rows, TableRows& leftovers);

}  // namespace steward::commands
