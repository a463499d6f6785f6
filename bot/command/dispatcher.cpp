#include "command/dispatcher.hpp"

#include <fmt/format.h>

#include "command/cards.hpp"
#include "command/dispatcher_state.hpp"
#include "command/status.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace steward::command {

using boost::asio::awaitable;

namespace {
constexpr int batch = 20;
constexpr auto idle_check = std::chrono::seconds(30);
constexpr int history_window = 50;
}  // namespace

Dispatcher::State::State(Services& services_, room::AdminRoom& room_, room::Inbox& inbox_, async::Signal& arrived_)
    : services(services_),
      room(room_),
      inbox(inbox_),
      arrived(arrived_),
      plans(services_, room_),
      group(services_.io, [](std::string name, std::string what) {
        core::log_error("dispatcher", "handling {} ended with an exception: {}", name, what);
      }) {}

Speaker Dispatcher::State::speaker() const { return Speaker{services.options->bot, services.options->bot_display_name}; }

Dispatcher::Dispatcher(Services& services, room::AdminRoom& room, room::Inbox& inbox, async::Signal& arrived)
    : state_(std::make_unique<State>(services, room, inbox, arrived)) {
  services.run_schedule = [this](db::ScheduleRow schedule, Context context) { return state_->run_schedule_now(std::move(schedule), std::move(context)); };
}
Dispatcher::~Dispatcher() = default;

awaitable<core::Result<void>> Dispatcher::load() { return state_->plans.load(); }
bool Dispatcher::plan_waits() const { return state_->plans.waiting(); }
awaitable<void> Dispatcher::expire_plans() { return state_->plans.expire(); }

bool Dispatcher::looks_like_command(const matrix::Event& event) const {
  auto typed = read_message(event.body, event.formatted_body, state_->speaker());
  return !typed || typed->has_value();
}

awaitable<void> Dispatcher::run() {
  State& state = *state_;
  for (;;) {
    const bool cancelled = co_await async::is_cancelled();
    if (cancelled) co_return;
    auto rows = co_await state.services.stores->inbox.unhandled(batch);
    bool started = false;
    if (rows) {
      for (db::InboxEvent& row : *rows) {
        if (!state.under_way.insert(row.event_id).second) continue;
        started = true;
        std::string name = row.event_id.str();
        auto task = [&state, row = std::move(row)]() -> awaitable<void> { return state.handle(row); };
        state.group.spawn(std::move(name), std::move(task));
      }
    }
    if (started) continue;
    co_await state.arrived.wait(idle_check);
  }
}

awaitable<bool> Dispatcher::stop() {
  const bool ended = co_await state_->group.join(std::chrono::seconds(2));
  if (ended) co_return true;
  state_->group.cancel_all();
  co_return co_await state_->group.join(std::chrono::seconds(5));
}

awaitable<void> Dispatcher::reconcile() {
  State& state = *state_;
  if (!state.room.usable()) co_return;
  auto missed = co_await state.inbox.missed(*state.services.chat, history_window);
  if (!missed) {
    core::log_warning("dispatcher", "the room's history could not be compared: {}", core::describe(missed.error()));
    co_return;
  }
  std::vector<std::string> lines;
  for (const matrix::Event& event : *missed) {
    if (!looks_like_command(event)) continue;
    std::vector<db::InboxEvent> rows(1);
    rows.front() = {event.event_id, event.room_id, event.sender, event.type, event.json, event.age};
    auto added = co_await state.services.stores->inbox.add(std::move(rows));
    if (!added || added->empty()) continue;  // it came by transaction meanwhile
    co_await state.services.stores->inbox.finish(event.event_id, "missed");
    lines.push_back(core::format_age(std::chrono::duration_cast<std::chrono::seconds>(event.age)) + " ago: " +
                    core::clean_name(event.body, 60));
  }
  if (lines.empty()) co_return;
  matrix::Message message;
  message.title("I did not get these in time. Send again what you still want:");
  for (std::string& line : lines) message.entry(std::move(line));
  matrix::Envelope envelope;
  co_await state.room.say("missed:" + missed->back().event_id.str(), std::move(message), std::move(envelope));
}

awaitable<void> Dispatcher::tell_recovered(std::vector<db::JobRow> resumed, bool restored) {
  State& state = *state_;
  if (restored) {
    const std::vector<std::string> open{"waiting", "stopped"};
    auto jobs = co_await state.services.stores->jobs.in_state(open, 20);
    matrix::Message message;
    message.title("My journal is older than what I remember: the database seems to be restored from a backup.");
    message.paragraph("Nothing goes on by itself. What was confirmed after that backup is not known here; check before you repeat it.");
    if (jobs)
      for (const db::JobRow& job : *jobs)
        message.entry(fmt::format("{} {} ({}): !resume {} goes on, !cancel {} drops it", job.number, job.command, job.state, job.number, job.number));
    matrix::Envelope envelope;
    envelope.notice = false;
    envelope.mentions = state.services.options->admins;
    auto last = co_await state.services.stores->jobs.last_number();
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    std::string cause = fmt::format("restored:{}:{}", last.value_or(0), core::to_unix_ms(now));
    co_await state.room.say(std::move(cause), std::move(message), std::move(envelope));
    co_return;
  }
  for (db::JobRow& job : resumed)
    co_await show_job(std::move(job), "goes on after a restart", "", true);
}

awaitable<core::Result<jobs::Receipt>> Dispatcher::run_command(db::JobRow job, jobs::Plan plan, jobs::Progress& progress) {
  State& state = *state_;
  const Command* command = state.services.table->find(plan.command);
  if (!command || !command->run)
    co_return core::fail(core::Code::internal, "This program has no command " + plan.command, "the plan was made by another version",
                         "make the plan again");
  Context context{state.services, job.asker, Role::admin, job.origin == "terminal", job.command_event, std::nullopt, job.line};
  co_return co_await command->run(std::move(plan), progress, context);
}

awaitable<void> Dispatcher::show_job(db::JobRow job, std::string header, std::string notice, bool state_changed) {
  State& state = *state_;
  if (state.room.id().empty()) co_return;
  auto& live = state.live[job.number];
  if (!live) {
    matrix::Envelope envelope;
    envelope.reply_to = job.command_event;
    live = std::make_shared<room::LiveMessage>(state.room, state.services.stores->outbox, fmt::format("live:{}", job.number), std::move(envelope));
  }
  auto kept = live;  // the map may change while the store is written
  job.state = "running";
  matrix::Message message = job_card(job, header, notice);
  co_await kept->show(std::move(message), state_changed);
}

awaitable<core::Result<core::EventId>> Dispatcher::live_event(std::int64_t number, std::chrono::milliseconds limit) {
  return state_->sent_event(fmt::format("live:{}", number), limit);
}

awaitable<void> Dispatcher::job_ended(db::JobRow job, jobs::Plan plan, jobs::Receipt receipt) {
  State& state = *state_;
  auto live = state.live[job.number];
  state.live.erase(job.number);
  const bool interrupted = job.state == "running";  // a shutdown: it goes on after the next start
  if (live) {
    matrix::Message card = job_card(job, interrupted ? "interrupted; goes on by itself when the bot is back" : receipt.title, "");
    co_await live->show(std::move(card), /*now=*/true);
  }
  if (interrupted) co_return;
  const std::string sign = job.state == "done" ? "✅" : job.state == "stopped" ? "🛑" : "❌";
  co_await set_status(state.services, state.room, job.command_event, sign);
  matrix::Message card = receipt_card(job, receipt);
  matrix::Envelope envelope;
  envelope.reply_to = job.command_event;
  // The end rings; who has just typed !pause or !cancel looks at the room anyway.
  const bool by_hand = job.state == "stopped" && (job.reason == "paused" || job.reason == "cancelled");
  envelope.notice = by_hand;
  if (!by_hand && job.asker.str().starts_with('@')) envelope.mentions.push_back(job.asker);
  // The stop of a job that is resumed ends again: the heartbeat's count of ends makes the cause unique.
  auto totals = co_await state.services.stores->jobs.totals(job.number);
  const std::int64_t finished = totals ? totals->done + totals->kept + totals->failed + totals->unknown : 0;
  co_await state.room.say(fmt::format("receipt:{}:{}:{}", job.number, job.state, finished), std::move(card), std::move(envelope));
  db::AuditRow row;
  row.actor = job.asker.str();
  if (const auto schedule = plan.parameters.find("schedule"); schedule != plan.parameters.end()) row.role = "schedule " + schedule->second;
  row.event_id = job.command_event.str();
  row.line = job.line;
  row.outcome = job.state + ": " + receipt.title;
  row.confirmed_by = job.confirmed_by.str();
  row.job = job.number;
  auto audited = co_await state.services.stores->audit.add(std::move(row));
  if (!audited) core::log_error("audit", "the end of job {} was not recorded: {}", job.number, core::describe(audited.error()));
}

}  // namespace steward::command
