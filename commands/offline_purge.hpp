// clean-rooms --method offline: rooms of a stopped Synapse, set-wise by SQL from the registry of room tables, one transaction
// for each group of rooms, leftovers in the same go. One per run; I/O thread, its SQL on the work session, its guard against a
// start of Synapse on a session of its own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "commands/leftovers.hpp"
#include "commands/room_selection.hpp"
#include "db/offline_guard.hpp"
#include "db/room_tables.hpp"
#include "db/store.hpp"
#include "jobs/progress.hpp"

namespace steward::commands {

class OfflinePurge {
 public:
  OfflinePurge(command::Context& context, db::Session& work, jobs::Progress& progress, RoomChoice choice, db::RoomTablesHere tables);

  // Works through the open rooms of the job. Refuses while anybody else is connected to the database, keeps Synapse from
  // starting until it returns, keeps each room that no longer qualifies, and stops between two groups when asked to or when
  // its guard is lost. A group is deleted whole or not at all, so that a crash loses nothing and resumes.
  boost::asio::awaitable<core::Result<db::ItemTotals>> run();

 private:
  using Group = std::vector<db::ItemRow>;
  struct Deleted { std::vector<std::pair<const db::RoomTable*, std::int64_t>> rows; };

  boost::asio::awaitable<core::Result<db::ItemTotals>> work_through();
  boost::asio::awaitable<core::Result<void>> settle();
  boost::asio::awaitable<core::Result<std::vector<db::ItemRow>>> still_unused();
  boost::asio::awaitable<core::Result<void>> delete_group(Group group);
  boost::asio::awaitable<core::Result<void>> give_back(Group group, core::Error why);
  boost::asio::awaitable<void> tell_tables();
  void show(std::int64_t groups_done, std::int64_t groups);

  command::Context& context_;
  db::Session& work_;
  jobs::Progress& progress_;
  RoomChoice choice_;
  std::unique_ptr<db::OfflineGuard> guard_;
  db::RoomTablesHere tables_;
  std::map<const db::RoomTable*, std::int64_t> rows_;  // of this run, for its NOTICE lines
  std::int64_t rooms_done_ = 0, rooms_ = 0;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace steward::commands
