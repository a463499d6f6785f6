// Takes what the inbox stored, one event after another, and does what it says: commands, confirmations, reactions, redactions,
// edits. Owns the way of a command from the stored event to the confirmed job. Also serves the terminal. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "async/tasks.hpp"
#include "command/confirmation.hpp"
#include "command/context.hpp"
#include "command/parser.hpp"
#include "command/terminal_line.hpp"
#include "jobs/scheduler.hpp"
#include "room/admin_room.hpp"
#include "room/inbox.hpp"
#include "room/live_message.hpp"

namespace steward::command {

class Dispatcher {
 public:
  Dispatcher(Services& services, room::AdminRoom& room, room::Inbox& inbox, async::Signal& arrived);
  ~Dispatcher();

  // Ends what is being handled; afterwards the dispatcher may be destroyed. Used at shutdown.
  boost::asio::awaitable<bool> stop();
  // The loop over stored events; until cancelled.
  boost::asio::awaitable<void> run();
  // Compares the room's history with the inbox and asks for what was missed; at start and every ten minutes.
  boost::asio::awaitable<void> reconcile();
  // Voids expired plans; every few seconds.
  boost::asio::awaitable<void> expire_plans();

  bool plan_waits() const;
  bool looks_like_command(const matrix::Event& event) const;

  // One line from the terminal (role admin). `print` gets the conversation as it happens.
  struct TerminalResult { int exit_code = 0; std::string json; };
  boost::asio::awaitable<TerminalResult> terminal(TerminalLine line, std::function<void(std::string)> print);

  // Before the inbox opens: the plans that wait. Needs the store only.
  boost::asio::awaitable<core::Result<void>> load();
  // What was running when the bot died, told in the room.
  boost::asio::awaitable<void> tell_recovered(std::vector<db::JobRow> resumed, bool restored);

  // For jobs::Scheduler's hooks (set by app).
  boost::asio::awaitable<jobs::Scheduler::RunEnd> run_schedule(db::ScheduleRow schedule, core::TimePoint planned, std::chrono::seconds late);
  boost::asio::awaitable<void> pause_schedule(db::ScheduleRow schedule, core::Error why);
  boost::asio::awaitable<bool> tell_missed(std::vector<jobs::MissedRun> missed);
  // What was paused at the start because nobody knows what happened meanwhile.
  boost::asio::awaitable<void> tell_paused(std::vector<db::ScheduleRow> paused, std::string why);

  // For jobs::Runner's hooks (set by app).
  boost::asio::awaitable<core::Result<jobs::Receipt>> run_command(db::JobRow job, jobs::Plan plan, jobs::Progress& progress);
  boost::asio::awaitable<void> show_job(db::JobRow job, std::string header, std::string notice, bool state_changed);
  // The event of a job's live message once it was sent; timeout after `limit`.
  boost::asio::awaitable<core::Result<core::EventId>> live_event(std::int64_t number, std::chrono::milliseconds limit);
  boost::asio::awaitable<void> job_ended(db::JobRow job, jobs::Plan plan, jobs::Receipt receipt);

  struct State;  // private to the dispatcher's sources

 private:
  std::unique_ptr<State> state_;
};

}  // namespace steward::command
