// One statement of the VACUUM family at a time: alone on the work session, with its live percentage and a cancel that ends it
// within a second; and the patience around it (a lock that is taken, a connection that is lost). Used by vacuum.cpp and
// reindex.cpp, one per run. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "commands/leftovers.hpp"
#include "db/session.hpp"
#include "jobs/progress.hpp"

namespace steward::commands {

class Maintenance {
 public:
  struct Limits { std::chrono::milliseconds statement, lock; };
  Maintenance(boost::asio::any_io_executor io, db::Session& work, db::Session& control, jobs::Progress& progress);

  db::Session& work() const { return work_; }
  // Shows `doing` with the phase and percentage; ends the statement once the job is asked to stop (cancelled then).
  boost::asio::awaitable<core::Result<void>> run(std::string sql, std::string doing, Limits limits);
  // Without a watch, and also in a job that stops: for tidying up.
  boost::asio::awaitable<core::Result<void>> run_unwatched(std::string sql, Limits limits);

  // Tries until it is done, kept or failed: a taken lock is waited for a minute, a lost connection ten. `uncertain`: an earlier
  // try, or an earlier life of the bot, may have done it. A job that is asked to stop gets the item back.
  using Attempt = std::function<boost::asio::awaitable<core::Result<jobs::ItemOutcome>>(db::ItemRow item, bool uncertain)>;
  boost::asio::awaitable<jobs::ItemOutcome> persist(db::ItemRow item, bool uncertain, Attempt attempt);

 private:
  boost::asio::awaitable<void> watch(std::string sql, std::string doing);
  boost::asio::awaitable<void> show(std::string doing);

  boost::asio::any_io_executor io_;
  db::Session& work_;
  db::Session& control_;
  jobs::Progress& progress_;
  std::string blocker_;  // who was last seen in the way
};

// The two sessions, or the refusal that says what is missing.
core::Result<void> check_sessions(const command::Context& context);

// "115.0 MB → 38.0 MB"
std::string change(std::int64_t before, std::int64_t after);

// What a run came to by the journal, so that it holds after a restart in the middle, too. The figures of an item are what its
// act wrote with write_rows(): before, after and the command's own.
struct RunResult {
  TableRows sum;
  std::int64_t done = 0;
  std::int64_t returned = 0;
  std::vector<std::string> changes;   // the largest, "events: 115.0 MB → 38.0 MB"
  std::vector<std::string> troubles;  // kept, failed and left
  std::vector<std::string> targets;   // of what is done
  bool complete = true;
};
boost::asio::awaitable<core::Result<RunResult>> run_result(db::ItemTotals totals, std::int64_t job, db::JobStore& store);

}  // namespace steward::commands
