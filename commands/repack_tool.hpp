// pg_repack as a program of its own: where it is, whether it fits the database, one run on one table with its progress, and what a
// run that was stopped leaves behind. It works as a superuser (repack.database), by a password that only its environment has. Used by
// repack.cpp, one per plan or run. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "commands/space.hpp"
#include "db/session.hpp"
#include "jobs/progress.hpp"

namespace steward::commands {

struct RepackState {
  std::string extension;  // its version, "" without it
  bool superuser = false, same_database = false, has_key = false;
  std::string busy_by;    // the name of the pg_repack that is at work on the table, "" without one
  bool ours = false;      // what is left is of a run that the bot started
  std::int64_t major = 0, oid = 0, filenode = 0;
  std::string invalid_index;
  std::vector<std::string> leftovers;  // "trigger repack_trigger", "repack.log_16422"
};

// What came of a run; without a trouble and a stop pg_repack itself says that all went well. A WARNING is a trouble.
struct RepackEnd {
  bool stopped = false;
  std::string trouble;
};

class RepackTool {
 public:
  RepackTool(boost::asio::any_io_executor io, const command::Options& options);

  // `peer`: a connection that is known to be Synapse's database, to prove that this one is, too.
  boost::asio::awaitable<core::Result<RepackState>> look(std::string table, const db::Session& peer);
  // Refuses by name what is missing or does not fit: extension, superuser, database, program, versions. The program's version.
  boost::asio::awaitable<core::Result<std::string>> check(RepackState state);

  // To its end, or to the job's stop (SIGINT; pg_repack tidies up then). Asked before: check(), and no leftovers.
  boost::asio::awaitable<core::Result<RepackEnd>> run(SpaceTable table, RepackState state, jobs::Progress& progress);
  // What a run of the bot's left; refused for another's. Trigger, log, type and copy at once, by pg_repack's own function; a few tries of half a second for the table's lock.
  boost::asio::awaitable<core::Result<void>> drop(RepackState state);

 private:
  struct Run {  // what is known of a run while it goes on
    std::string doing, trouble;
    std::int64_t waits = 0;  // the process that pg_repack named last
    std::string blocker;
    bool marked = false;
  };
  boost::asio::awaitable<core::Result<std::string>> version_of(std::string program);
  boost::asio::awaitable<void> watch(SpaceTable table, RepackState state, jobs::Progress& progress, Run& run);
  boost::asio::awaitable<void> mark(SpaceTable table, RepackState state, Run& run);
  boost::asio::awaitable<void> show(RepackState state, jobs::Progress& progress, Run& run);

  boost::asio::any_io_executor io_;
  std::string given_program_, program_;
  core::Secret connection_;
  db::Session session_;
};

// What the line says when it is a complaint, without SQL; "" for the others.
std::string repack_complaint(const std::string& line);

}  // namespace steward::commands
