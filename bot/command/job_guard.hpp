// What must hold while a job runs: the live message is posted and stands in the database the plan was made on, the schema allows
// it, no backup runs, the writer lock is ours. The runner asks at the start and every few seconds. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/context.hpp"
#include "command/dispatcher.hpp"

namespace steward::command {

class JobGuard {
 public:
  JobGuard(Services& services, Dispatcher& dispatcher);

  // Temporary errors (Synapse away, a backup runs, the writer lock is taken) make a starting job wait. In a running one a lock
  // that was lost with its connection is taken again; conflict when somebody else has it.
  boost::asio::awaitable<core::Result<void>> may_run(db::JobRow job, jobs::Plan plan, bool starting);
  boost::asio::awaitable<void> release(jobs::Plan plan);
  // pg_cancel_backend of the work session's statement, through the control session.
  boost::asio::awaitable<void> cancel_statement();

 private:
  boost::asio::awaitable<core::Result<void>> start(db::JobRow job, jobs::Plan plan);
  // Schema, backups, the writer lock.
  boost::asio::awaitable<core::Result<void>> make_ready(jobs::Plan plan);

  Services& services_;
  Dispatcher& dispatcher_;
};

}  // namespace steward::command
