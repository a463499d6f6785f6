// Private to the dispatcher's sources (events, commands, terminal, job messages): what they share. I/O thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "async/tasks.hpp"
#include "command/dispatcher.hpp"
#include "command/plans.hpp"
#include "command/request.hpp"

namespace steward::command {

// What came of one line: for the audit, for the status reaction and for the terminal's exit code.
struct Performed {
  std::string outcome;          // "answered", "plan 41", "refused: …", "error: …"
  bool ok = false;
  std::int64_t number = 0;      // of the plan or job
  bool confirmed = false;       // that plan was confirmed by this line
  std::string json;             // of a read
};

using Deliver = std::function<boost::asio::awaitable<void>(Answer answer)>;

struct Dispatcher::State {
  State(Services& services_, room::AdminRoom& room_, room::Inbox& inbox_, async::Signal& arrived_);

  // commands.cpp: one command line, from the room (`event`) or the terminal.
  boost::asio::awaitable<Performed> perform(Typed typed, Context context, std::optional<matrix::Event> event, Deliver deliver);
  boost::asio::awaitable<Performed> perform_parsed(Parsed parsed, Context context, std::optional<matrix::Event> event, Deliver deliver);
  // Role, freeze, age, forgery, the database, then what its names stand for. FORGED as source: to be reported, not answered.
  boost::asio::awaitable<core::Result<Arguments>> check(const Request& request, Context& context, const std::optional<matrix::Event>& event);
  boost::asio::awaitable<Performed> answer(const Request& request, Arguments arguments, Context context, Deliver deliver);
  boost::asio::awaitable<Performed> plan(const Request& request, Arguments arguments, Context context, Deliver deliver);
  boost::asio::awaitable<Performed> say_to_plan(Say say, Context context, std::optional<matrix::Event> event, Deliver deliver);

  // scheduled.cpp: the command of a schedule, for whom and for which the context says.
  boost::asio::awaitable<Performed> perform_scheduled(Request request, Context context, Deliver deliver);
  boost::asio::awaitable<std::string> run_schedule(db::ScheduleRow schedule, core::TimePoint planned, std::chrono::seconds late);
  boost::asio::awaitable<core::Result<Answer>> run_schedule_now(db::ScheduleRow schedule, Context context);
  boost::asio::awaitable<core::Result<bool>> last_run_is_open(db::ScheduleRow schedule);
  boost::asio::awaitable<core::Result<core::EventId>> announce(db::ScheduleRow schedule, std::string cause, std::chrono::seconds late);
  boost::asio::awaitable<void> pause_schedule(db::ScheduleRow schedule, core::Error why);

  // events.cpp; what begins with deliver, show or send: delivery.cpp
  boost::asio::awaitable<void> handle(db::InboxEvent row);
  boost::asio::awaitable<std::string> handle_event(matrix::Event event);
  boost::asio::awaitable<std::string> on_message(matrix::Event event);
  boost::asio::awaitable<std::string> on_reaction(matrix::Event event);
  boost::asio::awaitable<std::string> on_redaction(matrix::Event event);
  boost::asio::awaitable<std::string> on_edit(matrix::Event event);
  boost::asio::awaitable<std::string> refuse_speaker(matrix::Event event, core::Error why);
  boost::asio::awaitable<void> report_forgery(matrix::Event event, core::Error why);
  boost::asio::awaitable<std::string> run_typed(Typed typed, matrix::Event event, Role role);

  // An answer in the room, as the envelope says; one that rings mentions `sender`.
  Deliver delivery(std::string cause, matrix::Envelope envelope, core::UserId sender);
  boost::asio::awaitable<void> deliver(std::string cause, matrix::Envelope envelope, core::UserId sender, Answer answer);
  // The same, threaded and addressed as the command was.
  Deliver room_delivery(const matrix::Event& event);
  // A picture; its text form when it cannot be drawn or uploaded.
  boost::asio::awaitable<void> show_chart(std::string cause, report::Chart chart, matrix::Envelope envelope);
  boost::asio::awaitable<core::Result<void>> send_picture(std::string cause, const report::Chart& chart, matrix::Envelope envelope);
  boost::asio::awaitable<void> audit(const Context& context, const Performed& performed);

  // Waits until the outbox sent `cause`; timeout after `limit`.
  boost::asio::awaitable<core::Result<core::EventId>> sent_event(std::string cause, std::chrono::milliseconds limit);
  // Shows ⏳ on the command and proves with that event that the database is this homeserver's.
  boost::asio::awaitable<core::Result<void>> prove_database(const Context& context);

  // The job that a message of ours (plan card, live message, receipt) or a command event belongs to.
  boost::asio::awaitable<std::optional<std::int64_t>> job_of(core::EventId event);

  // The command line that a reaction to a message of ours stands for, where one was offered with it.
  boost::asio::awaitable<std::optional<std::string>> offered(core::EventId event, std::string key);

  Speaker speaker() const;

  Services& services;
  room::AdminRoom& room;
  room::Inbox& inbox;
  async::Signal& arrived;
  Plans plans;
  async::TaskGroup group;
  std::optional<async::WorkThread> draw;  // from the first chart on: most bots idle without one
  std::set<core::EventId> under_way;
  std::map<core::UserId, std::chrono::steady_clock::time_point> refused_at;  // one notice an hour
  std::map<std::int64_t, std::shared_ptr<room::LiveMessage>> live;
  std::optional<std::chrono::steady_clock::time_point> forgery_told_at;
};

}  // namespace steward::command
