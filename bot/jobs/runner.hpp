// Runs confirmed jobs, one heavy job at a time, oldest first; cancel, pause, freeze; picks up what a crash left behind.
// Gets the function that runs a command from app (the command layer is above). I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/tasks.hpp"
#include "db/store.hpp"
#include "jobs/plan.hpp"
#include "jobs/progress.hpp"

namespace steward::jobs {

class Runner {
 public:
  struct Hooks {
    // Runs the command's act. The items are in the journal; the plan comes without them.
    std::function<boost::asio::awaitable<core::Result<Receipt>>(db::JobRow job, Plan plan, Progress& progress)> run;
    // Before a job starts (`starting`) and every few seconds while it runs: writer lock, right database, no backup. At the start
    // a temporary error makes the job wait and try again; while it runs any other error stops it.
    std::function<boost::asio::awaitable<core::Result<void>>(db::JobRow job, Plan plan, bool starting)> may_run;
    std::function<boost::asio::awaitable<void>(const Plan& plan)> release;
    // The room: one live message per job, a new message that rings at the end.
    std::function<boost::asio::awaitable<void>(db::JobRow job, std::string header, std::string notice, bool state_changed)> show;
    std::function<boost::asio::awaitable<void>(db::JobRow job, Plan plan, Receipt receipt)> ended;
    // Own SQL under way is cancelled through the control session.
    std::function<boost::asio::awaitable<void>()> cancel_statement;
  };
  Runner(boost::asio::any_io_executor io, db::JobStore& store, Hooks hooks);
  ~Runner();

  // The loop; ends when stop() was called and the job under way has come to rest.
  boost::asio::awaitable<void> run();
  void wake();  // a job was queued
  void stop();  // graceful: the running job is `interrupted` and goes on after the next start

  // At start: running jobs of an earlier life. Returns those that may go on at once (heartbeat at most ten minutes old) after
  // queueing them; the others become `stopped: interrupted`. `restored` (the journal is older than the state directory says):
  // nothing goes on by itself.
  boost::asio::awaitable<core::Result<std::vector<db::JobRow>>> recover(bool restored);

  // What a person asks for. Errors say what the job is doing instead.
  boost::asio::awaitable<core::Result<std::string>> cancel(std::int64_t number);
  boost::asio::awaitable<core::Result<std::string>> pause(std::int64_t number);
  boost::asio::awaitable<core::Result<void>> freeze();  // stops the running job and holds the queue
  void thaw();
  bool frozen() const;
  std::optional<std::int64_t> running() const;
  // Header line of the running job, for !jobs and !status.
  std::string running_header() const;
  // The job that holds a lock of that name, if any ("room:!id").
  std::optional<std::int64_t> holder(const std::string& lock) const;

  struct State;  // private to runner.cpp

 private:
  std::shared_ptr<State> state_;
};

}  // namespace steward::jobs
