// What each stored event means: messages, reactions, redactions, edits, state. See dispatcher.hpp.
#include <fmt/format.h>

#include "command/cards.hpp"
#include "command/dispatcher_state.hpp"
#include "command/roles.hpp"
#include "command/verification.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace steward::command {

using boost::asio::awaitable;
using State = Dispatcher::State;

namespace {
constexpr auto refusal_interval = std::chrono::hours(1);
}  // namespace

awaitable<void> State::handle(db::InboxEvent row) {
  auto event = matrix::parse_event(row.json);
  std::string outcome = "broken";
  if (event) {
    event->age = row.age;
    try {
      outcome = co_await handle_event(std::move(*event));
    } catch (const std::exception& failure) {
      core::log_error("dispatcher", "event {} ended with an exception: {}", row.event_id.str(), failure.what());
      outcome = "exception";
    }
  }
  auto finished = co_await services.stores->inbox.finish(row.event_id, std::move(outcome));
  if (!finished) core::log_error("dispatcher", "event {} stays open: {}", row.event_id.str(), core::describe(finished.error()));
  under_way.erase(row.event_id);
}

awaitable<std::string> State::handle_event(matrix::Event event) {
  if (event.type == "m.room.message") {
    if (event.has_new_content || event.relation_type == "m.replace") co_return co_await on_edit(std::move(event));
    co_return co_await on_message(std::move(event));
  }
  if (event.type == "m.reaction") co_return co_await on_reaction(std::move(event));
  if (event.type == "m.room.redaction") co_return co_await on_redaction(std::move(event));
  co_await room.observe(std::move(event));
  co_return "observed";
}

awaitable<std::string> State::refuse_speaker(matrix::Event event, core::Error why) {
  const auto now = std::chrono::steady_clock::now();
  const auto before = refused_at.find(event.sender);
  if (core::is_temporary(why) || before == refused_at.end() || now - before->second >= refusal_interval) {
    refused_at[event.sender] = now;
    matrix::Message message = error_card(why);
    matrix::Envelope envelope;
    envelope.reply_to = event.event_id;
    co_await room.say("answer:" + event.event_id.str(), std::move(message), std::move(envelope));
  }
  db::AuditRow row;
  row.actor = event.sender.str();
  row.role = "none";
  row.event_id = event.event_id.str();
  row.line = core::clean_name(event.body, 80);
  row.outcome = "refused: " + why.why;
  co_await services.stores->audit.add(std::move(row));
  co_return "refused";
}

awaitable<void> State::report_forgery(matrix::Event event, core::Error why) {
  core::log_warning("dispatcher", "forged event {} in the name of {}: {}", event.event_id.str(), event.sender.str(), why.why);
  const auto now = std::chrono::steady_clock::now();
  // Once in the room: a flood of forgeries must not become a flood of warnings.
  if (forgery_told_at && now - *forgery_told_at < refusal_interval) co_return;
  forgery_told_at = now;
  matrix::Message message = error_card(why);
  matrix::Envelope envelope;
  envelope.notice = false;
  envelope.mentions = services.options->admins;
  co_await room.say("forged:" + event.event_id.str(), std::move(message), std::move(envelope));
}

awaitable<std::string> State::on_message(matrix::Event event) {
  auto typed = read_message(event.body, event.formatted_body, speaker());
  const bool command = !typed || typed->has_value();
  std::optional<Say> say;
  if (!command) {
    say = read_say(core::trim(event.body), event.in_reply_to);
    if (!say) co_return "chat";
    auto plan = co_await plans.target_of(*say, event.sender);
    if (!plan || !*plan) co_return "chat";
  }
  auto role = co_await role_of(event.sender, services);
  if (!role) co_return co_await refuse_speaker(std::move(event), role.error());
  auto receipt = [this, room_id = event.room_id, event_id = event.event_id]() -> awaitable<void> {
    co_await services.chat->read_receipt(room_id, event_id);
  };
  group.spawn("read receipt", std::move(receipt));
  Deliver deliver = room_delivery(event);
  if (!typed) {
    Answer answer;
    answer.message = error_card(typed.error());
    co_await deliver(std::move(answer));
    co_return "not understood";
  }
  Context context{services, event.sender, *role, false, event.event_id, std::nullopt, {}};
  if (say) {
    context.line = core::clean_name(event.body, 80);
    Performed performed = co_await say_to_plan(std::move(*say), context, std::move(event), std::move(deliver));
    co_await audit(context, performed);
    co_return performed.outcome;
  }
  co_return co_await run_typed(std::move(**typed), std::move(event), *role);
}

awaitable<std::string> State::run_typed(Typed typed, matrix::Event event, Role role) {
  Deliver deliver = room_delivery(event);
  Context context{services, event.sender, role, false, event.event_id, std::nullopt, {}};
  if (!event.in_reply_to.empty()) {
    auto replied = co_await services.chat->event(event.room_id, event.in_reply_to);
    if (replied) context.replied_to = std::move(*replied);
  }
  Performed performed = co_await perform(std::move(typed), std::move(context), std::move(event), std::move(deliver));
  co_return performed.outcome;
}

awaitable<std::optional<std::int64_t>> State::job_of(core::EventId event) {
  auto row = co_await services.stores->outbox.find_by_event(event);
  if (row && *row) {
    const std::vector<std::string> parts = core::split((*row)->cause, ':');
    const bool ours = parts.size() >= 2 && (parts[0] == "live" || parts[0] == "plan" || parts[0] == "receipt");
    if (ours && !parts[1].empty() && parts[1].find_first_not_of("0123456789") == std::string::npos) co_return std::stoll(parts[1]);
  }
  auto job = co_await services.stores->jobs.find_by_command_event(event);
  if (job && *job) co_return (*job)->number;
  co_return std::nullopt;
}

awaitable<std::optional<std::string>> State::offered(core::EventId event, std::string key) {
  auto row = co_await services.stores->outbox.find_by_event(event);
  if (!row || !*row) co_return std::nullopt;
  auto line = co_await services.stores->alerts.offered((*row)->cause, fold_reaction(key));
  co_return line ? *line : std::nullopt;
}

awaitable<std::string> State::on_reaction(matrix::Event event) {
  auto offer = co_await offered(event.relates_to, event.reaction_key);
  if (offer) {
    auto role = co_await role_of(event.sender, services);
    if (!role) co_return co_await refuse_speaker(std::move(event), role.error());
    Typed typed;
    typed.exclamation = true;
    typed.line = std::move(*offer);
    co_return co_await run_typed(std::move(typed), std::move(event), *role);
  }
  const auto say = read_reaction(event.reaction_key, event.relates_to);
  const auto job_reaction = read_job_reaction(event.reaction_key);
  if (!say && !job_reaction) co_return "chat";
  auto number = co_await job_of(event.relates_to);
  if (!number) co_return "chat";
  auto role = co_await role_of(event.sender, services);
  if (!role) co_return co_await refuse_speaker(std::move(event), role.error());
  if (say) {
    Context context{services, event.sender, *role, false, event.event_id, std::nullopt, fmt::format("{} on {}", event.reaction_key, *number)};
    Deliver deliver = room_delivery(event);
    Performed performed = co_await say_to_plan(*say, context, std::move(event), std::move(deliver));
    co_await audit(context, performed);
    co_return performed.outcome;
  }
  Typed typed;
  typed.exclamation = true;
  switch (*job_reaction) {
    case JobReaction::pause: typed.line = fmt::format("pause {}", *number); break;
    case JobReaction::cancel: typed.line = fmt::format("cancel {}", *number); break;
    case JobReaction::resume: typed.line = fmt::format("resume {}", *number); break;
    case JobReaction::retry: typed.line = fmt::format("retry {}", *number); break;
  }
  co_return co_await run_typed(std::move(typed), std::move(event), *role);
}

awaitable<std::string> State::on_redaction(matrix::Event event) {
  auto job = co_await services.stores->jobs.find_by_command_event(event.redacts);
  if (!job || !*job) co_return "observed";
  const std::int64_t number = (**job).number;
  const bool closed = co_await plans.close(number, "redacted", "void: its command was deleted");
  if (closed) co_return "voided";
  if ((**job).state != "running" && (**job).state != "queued") co_return "observed";
  matrix::Message message;
  message.paragraph(fmt::format("Job {} goes on: deleting its command does not stop it. !cancel {} does.", number, number));
  matrix::Envelope envelope;
  co_await room.say("redacted:" + event.event_id.str(), std::move(message), std::move(envelope));
  co_return "job goes on";
}

awaitable<std::string> State::on_edit(matrix::Event event) {
  auto job = co_await services.stores->jobs.find_by_command_event(event.relates_to);
  matrix::Message message;
  if (job && *job) {
    const std::int64_t number = (**job).number;
    const bool closed = co_await plans.close(number, "edited", "void: its command was edited");
    message.paragraph(closed ? fmt::format("Plan {} is void, because its command was edited. Send the new command as a message.", number)
                             : fmt::format("Edits are not executed; job {} is as it was confirmed.", number));
  } else {
    auto edited = co_await services.stores->inbox.find(event.relates_to);
    if (!edited || !*edited || (*edited)->sender != event.sender) co_return "chat";
    message.paragraph("Edits are not executed. Send the command as a new message.");
  }
  matrix::Envelope envelope;
  co_await room.say("edited:" + event.relates_to.str(), std::move(message), std::move(envelope));
  co_return "edit";
}

}  // namespace steward::command
