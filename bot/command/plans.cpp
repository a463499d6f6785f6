#include "command/plans.hpp"

#include <fmt/format.h>

#include "async/tasks.hpp"
#include "command/cards.hpp"
#include "command/status.hpp"
#include "core/log.hpp"

namespace steward::command {

using boost::asio::awaitable;

namespace {

constexpr auto send_limit = std::chrono::seconds(30), terminal_send_limit = std::chrono::seconds(2);
constexpr auto head_start = std::chrono::milliseconds(100);

std::string card_cause(std::int64_t number) { return "plan:" + std::to_string(number); }

db::ItemRow row_of(const jobs::Item& item, int position) {
  db::ItemRow row;
  row.position = position;
  row.kind = item.kind;
  row.target = item.target;
  row.label = item.label;
  row.bytes = item.bytes.count;
  row.rows = item.rows;
  row.note = item.note;
  row.state = "planned";
  return row;
}

bool needs_second_admin(const jobs::Plan& plan, const Options& options) {
  return plan.second_admin || (options.second_admin && plan.level >= static_cast<int>(Level::destroys));
}

}  // namespace

Plans::Plans(Services& services, room::AdminRoom& room) : services_(services), room_(room) {}

awaitable<core::Result<void>> Plans::load() {
  const std::vector<std::string> states{"waiting"};
  auto rows = co_await services_.stores->jobs.in_state(states, 1000);
  if (!rows) co_return core::fail(rows.error());
  for (const db::JobRow& row : *rows) waiting_.insert(row.number);
  co_return core::Result<void>();
}

awaitable<core::Result<void>> Plans::leave_out_busy(jobs::Plan& plan) {
  const std::vector<std::string> confirmed{"queued", "running"};
  const std::vector<std::string> open{"planned", "acting"};
  auto rows = co_await services_.stores->jobs.in_state(confirmed, 1000);
  if (!rows) co_return core::fail(rows.error());
  for (const db::JobRow& job : *rows) {
    auto items = co_await services_.stores->jobs.items(job.number, open, 0);
    if (!items) co_return core::fail(items.error());
    std::set<std::pair<std::string, std::string>> busy;
    for (const db::ItemRow& item : *items) busy.emplace(item.kind, item.target);
    jobs::Kept kept{.reason = "busy", .text = fmt::format("already in job {}", job.number), .count = 0, .bytes = {}, .examples = {}};
    std::vector<jobs::Item> left;
    const bool counted = plan.word == std::to_string(plan.items.size());
    for (jobs::Item& item : plan.items) {
      if (!busy.contains({item.kind, item.target})) {
        left.push_back(std::move(item));
        continue;
      }
      ++kept.count;
      kept.bytes += item.bytes;
      plan.bytes.count -= item.bytes.count;
      plan.rows -= item.rows;
    }
    plan.items = std::move(left);
    if (kept.count == 0) continue;
    if (counted) plan.word = std::to_string(plan.items.size());
    plan.lines.push_back(fmt::format("Left for this plan: {}, because job {} has the others", plan.items.size(), job.number));
    plan.kept.push_back(std::move(kept));
  }
  co_return core::Result<void>();
}

awaitable<core::Result<std::int64_t>> Plans::propose(jobs::Plan plan, const Context& context) {
  const bool at_once = plan.level <= static_cast<int>(Level::reversible) || !plan.confirmed_by.empty();
  db::JobRow row;
  row.command_event = context.command_event;
  row.command = plan.command;
  row.line = context.line;
  row.asker = context.asker;
  row.origin = context.schedule ? "schedule" : context.terminal ? "terminal" : "room";
  row.confirmed_by = core::UserId(plan.confirmed_by);
  row.level = plan.level;
  row.state = at_once ? "queued" : "waiting";
  if (const auto continued = plan.parameters.find("continues"); continued != plan.parameters.end())
    row.continues = std::stoll(continued->second);
  if (plan.word.empty()) plan.word = std::to_string(plan.items.size());
  std::vector<db::ItemRow> items;
  items.reserve(plan.items.size());
  for (const jobs::Item& item : plan.items) items.push_back(row_of(item, static_cast<int>(items.size())));
  row.plan = jobs::encode_plan(plan);
  auto number = co_await services_.stores->jobs.create(std::move(row), std::move(items), confirmation_time);
  if (!number) co_return core::fail(number.error());
  if (at_once) {
    auto stored = co_await services_.stores->jobs.find(*number);
    const Command* command = services_.table->find(plan.command);
    if (stored && *stored && command && command->spec.control) {
      co_await run_at_once(std::move(**stored));
    } else {
      services_.runner->wake();
    }
    co_return *number;
  }
  waiting_.insert(*number);
  co_await post_card(*number, plan, context);
  co_return *number;
}

awaitable<void> Plans::post_card(std::int64_t number, const jobs::Plan& plan, const Context& context) {
  if (room_.id().empty()) co_return;
  const Command* command = services_.table->find(plan.command);
  if (!command) co_return;
  matrix::Message card = plan_card(number, plan, command->spec, needs_second_admin(plan, *services_.options));
  matrix::Envelope envelope;
  envelope.notice = false;  // a plan that waits must ring
  envelope.reply_to = context.command_event;
  if (!context.terminal) envelope.mentions.push_back(context.asker);
  // Who types in a terminal is shown the plan there, and Synapse may be stopped.
  const auto limit = context.terminal ? terminal_send_limit : send_limit;
  auto event = co_await room_.say_and_wait(card_cause(number), std::move(card), std::move(envelope), limit);
  if (!event) {
    core::log_warning("plans", "the card of plan {} is not sent yet: {}", number, core::describe(event.error()));
    co_return;
  }
  // Cancel first, so that a thumb that is too quick meets the harmless one.
  co_await room_.react(card_cause(number) + ":no", *event, "❌");
  if (!waiting_.contains(number)) co_await take_reactions_back(number);
  else if (plan.level < static_cast<int>(Level::destroys)) co_await room_.react(card_cause(number) + ":yes", *event, "✅");
}

awaitable<void> Plans::take_reactions_back(std::int64_t number) {
  const std::vector<std::string> suffixes{":no", ":yes"};
  for (const std::string& suffix : suffixes) {
    const std::string cause = card_cause(number) + suffix;
    const bool over = co_await take_back(cause);
    // An answer can be quicker than our reactions are sent.
    if (!over) room_.in_background("reaction", [this, cause] { return take_back_later(cause); });
  }
}

// False: it is on its way and cannot be taken back yet.
awaitable<bool> Plans::take_back(std::string cause) {
  auto reaction = co_await services_.stores->outbox.find(cause);
  if (!reaction) co_return false;
  if (!*reaction || (*reaction)->state == "dropped") co_return true;
  if ((*reaction)->event_id.empty()) co_return false;
  auto redacted = co_await room_.redact(cause + ":back", (*reaction)->event_id, "answered");
  if (!redacted) core::log_debug("plans", "{} stays in the room: {}", cause, core::describe(redacted.error()));
  co_return true;
}

awaitable<void> Plans::take_back_later(std::string cause) {
  for (auto pause = std::chrono::milliseconds(100); pause < std::chrono::minutes(1); pause *= 2) {
    const bool alive = co_await async::sleep_for(pause);
    if (!alive) co_return;
    const bool over = co_await take_back(cause);
    if (over) co_return;
  }
}

awaitable<core::Result<std::optional<db::JobRow>>> Plans::target_of(Say say, core::UserId who) {
  db::Stores& stores = *services_.stores;
  if (say.way == Say::Way::numbered) co_return co_await stores.jobs.find(say.number);
  if (say.way == Say::Way::reply || say.way == Say::Way::reaction) {
    auto card = co_await stores.outbox.find_by_event(say.points_at);
    if (!card) co_return core::fail(card.error());
    if (!*card || !(*card)->cause.starts_with("plan:")) co_return std::nullopt;
    const std::string number = (*card)->cause.substr(5);
    if (number.find(':') != std::string::npos) co_return std::nullopt;
    co_return co_await stores.jobs.find(std::stoll(number));
  }
  // A bare "yes" means the asker's only waiting plan.
  std::optional<db::JobRow> found;
  const std::vector<std::string> states{"waiting"};
  auto rows = co_await stores.jobs.in_state(states, 100);
  if (!rows) co_return core::fail(rows.error());
  for (db::JobRow& row : *rows)
    if (row.asker == who) found = std::move(row);
  co_return found;
}

awaitable<core::Result<Plans::Answer>> Plans::answer(Say say, core::UserId who, Role role, core::EventId event, bool terminal) {
  Answer nothing;
  auto row = co_await target_of(say, who);
  if (!row) co_return core::fail(row.error());
  if (!*row) {
    if (say.way == Say::Way::numbered) nothing.text = fmt::format("There is no plan {}.", say.number);
    co_return nothing;
  }
  db::JobRow job = std::move(**row);
  if (job.state != "waiting") {
    if (say.way == Say::Way::numbered) nothing.text = fmt::format("Plan {} does not wait any more: it is {}{}.", job.number, job.state,
                                                                  job.reason.empty() ? "" : " (" + job.reason + ")");
    co_return nothing;
  }
  auto plan = jobs::decode_plan(job.plan);
  if (!plan) {
    co_await close(job.number, "interrupted", "made by another version of the bot");
    co_return core::fail(plan.error());
  }
  auto card = co_await services_.stores->outbox.find(card_cause(job.number));
  if (!card) co_return core::fail(card.error());
  auto newest = co_await services_.stores->outbox.newest_sent(room_.id());
  if (!newest) co_return core::fail(newest.error());
  Waiting waiting;
  waiting.number = job.number;
  waiting.level = plan->level;
  waiting.asker = job.asker;
  waiting.word = confirmation_word(*plan);
  waiting.expired = job.expires_in <= std::chrono::seconds::zero();
  waiting.card = *card ? (*card)->event_id : core::EventId();
  waiting.is_newest_message = *card && *newest && (*newest)->id == (*card)->id;
  waiting.plans_waiting = static_cast<int>(waiting_.size());
  const Verdict verdict = judge(say, waiting, who, role, needs_second_admin(*plan, *services_.options) && !terminal);
  switch (verdict.kind) {
    case Verdict::Kind::ignore: co_return nothing;
    case Verdict::Kind::explain: nothing.text = verdict.text; co_return nothing;
    case Verdict::Kind::decline:
      co_await close(job.number, "declined", "declined by " + who.str());
      nothing.number = job.number;
      co_return nothing;
    case Verdict::Kind::confirm: break;
  }
  if (services_.runner->frozen() && plan->command != "thaw") {
    nothing.text = "Everything is frozen: no plan can be confirmed until !thaw.";
    co_return nothing;
  }
  co_return co_await confirm(std::move(job), std::move(*plan), std::move(who), std::move(event));
}

awaitable<core::Result<Plans::Answer>> Plans::confirm(db::JobRow job, jobs::Plan plan, core::UserId who, core::EventId event) {
  Answer answer;
  auto confirmed = co_await services_.stores->jobs.confirm(job.number, who, std::move(event));
  if (!confirmed) co_return core::fail(confirmed.error());
  if (!*confirmed) {
    answer.text = fmt::format("Plan {} could not be confirmed: it expired or was answered already.", job.number);
    co_return answer;
  }
  waiting_.erase(job.number);
  answer.confirmed = true;
  answer.number = job.number;
  if (job.continues != 0) {
    const std::vector<std::string> from{"stopped", "failed"};
    auto moved = co_await services_.stores->jobs.move(job.continues, from, "void", fmt::format("continued by job {}", job.number));
    if (!moved || !*moved) core::log_warning("plans", "job {} could not be marked as continued by {}", job.continues, job.number);
  }
  const Command* command = services_.table->find(plan.command);
  if (command && command->spec.control) {
    auto stored = co_await services_.stores->jobs.find(job.number);
    if (stored && *stored) co_await run_at_once(std::move(**stored));
  } else {
    services_.runner->wake();
    // The job waits for its first message; what tidies the room up queues behind it.
    co_await async::sleep_for(head_start);
  }
  co_await take_reactions_back(job.number);
  co_return answer;
}

awaitable<void> Plans::run_at_once(db::JobRow job) {
  const Command* command = services_.table->find(job.command);
  auto plan = jobs::decode_plan(job.plan);
  const std::vector<std::string> from{"queued"};
  auto moved = co_await services_.stores->jobs.move(job.number, from, "running", "");
  if (!command || !plan || !moved || !*moved) co_return;
  jobs::Progress progress(services_.io, job.number, services_.stores->jobs, jobs::Progress::Hooks());
  Context context{services_, job.asker, Role::admin, job.origin == "terminal", job.command_event, std::nullopt, job.line};
  auto receipt = co_await command->run(std::move(*plan), progress, context);
  jobs::Receipt shown;
  if (receipt) shown = *receipt;
  else shown.title = core::describe(receipt.error());
  shown.complete = receipt.has_value();
  job.state = receipt ? "done" : "failed";
  matrix::Message message = receipt_card(job, shown);
  matrix::Envelope envelope;
  envelope.reply_to = job.command_event;
  // Before the journal says that it ended: a crash between the two repeats the end, not the receipt.
  co_await room_.say(fmt::format("receipt:{}", job.number), std::move(message), std::move(envelope));
  std::string stored = jobs::encode_receipt(shown);
  auto finished = co_await services_.stores->jobs.finish(job.number, receipt ? "done" : "failed", receipt ? "" : "failed", std::move(stored));
  if (!finished) core::log_error("plans", "the end of job {} was not stored: {}", job.number, core::describe(finished.error()));
}

awaitable<bool> Plans::close(std::int64_t number, std::string reason, std::string words) {
  const std::vector<std::string> from{"waiting"};
  auto moved = co_await services_.stores->jobs.move(number, from, "void", std::move(reason));
  if (!moved || !*moved) co_return false;
  auto row = co_await services_.stores->jobs.find(number);
  if (row && *row) co_await show_closed(std::move(**row), std::move(words));
  co_return true;
}

awaitable<void> Plans::expire() {
  auto expired = co_await services_.stores->jobs.expire_waiting();
  if (!expired) co_return;
  for (db::JobRow& job : *expired) co_await show_closed(std::move(job), "expired after 10 minutes");
}

awaitable<void> Plans::show_closed(db::JobRow job, std::string words) {
  waiting_.erase(job.number);
  co_await take_reactions_back(job.number);
  co_await set_status(services_, room_, job.command_event, "🛑");
  auto card = co_await services_.stores->outbox.find(card_cause(job.number));
  if (!card || !*card || (*card)->event_id.empty()) co_return;
  matrix::Message message = closed_card(job.number, job.command, words);
  matrix::Envelope envelope;
  co_await room_.edit(card_cause(job.number) + ":closed", std::move(message), std::move(envelope), (*card)->event_id);
}

}  // namespace steward::command
