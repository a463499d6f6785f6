// One command line on its way: parsed, allowed, proven, resolved, then answered or planned. See dispatcher.hpp.
#include <fmt/format.h>

#include "command/cards.hpp"
#include "command/dispatcher_state.hpp"
#include "command/help.hpp"
#include "command/resolve.hpp"
#include "command/schedule_cap.hpp"
#include "command/status.hpp"
#include "command/verification.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace steward::command {

using boost::asio::awaitable;
using State = Dispatcher::State;

namespace {

constexpr auto changing_age_limit = std::chrono::minutes(5);
constexpr auto reading_age_limit = std::chrono::hours(1);

Performed refused(const core::Error& error) { return {"refused: " + error.what, false, 0, false, {}}; }

Answer of(const core::Error& error) {
  Answer answer;
  answer.message = error_card(error);
  return answer;
}

bool is_dry_run(const Command& command, const Arguments& arguments) {
  for (const Argument& argument : command.spec.arguments)
    if (argument.name == "dry-run") return arguments.flag("dry-run");
  return false;
}

// Cancel, no, pause and freeze always act, however late they arrive: they only ever stop things.
bool always_acts(const Spec& spec) {
  return spec.name == "cancel" || spec.name == "no" || spec.name == "pause" || spec.name == "freeze";
}

}  // namespace

core::Result<void> allowed(const Spec& spec, Level level, bool dry_run, const Context& context) {
  const Options& options = context.options();
  // A dry run changes nothing but names rooms, people and files: an operator's matter.
  const Role needed = dry_run ? std::max(Role::operator_, needed_role(spec, Level::reads)) : needed_role(spec, level);
  if (context.role < needed || (context.role == Role::reader && spec.personal_data))
    return core::fail(core::Code::not_allowed, fmt::format("!{} needs the role {}", spec.name, name(std::max(needed, spec.personal_data ? Role::operator_ : needed))),
                      fmt::format("you are {}", name(context.role)), "an admin can run it, or give you the role with !allow");
  if (!dry_run && !context.terminal && static_cast<int>(level) > options.max_level)
    return core::fail(core::Code::not_allowed, fmt::format("!{} is above what this room may do", spec.name),
                      fmt::format("its level is {}, `safety.max_level` is {}", static_cast<int>(level), options.max_level),
                      "use --dry-run here, or change the setting in steward.yaml");
  if (!dry_run && level > Level::reads && !spec.control && context.services.runner->frozen())
    return core::fail(core::Code::conflict, "Everything is frozen", "somebody sent !freeze", "!thaw, from the terminal or by two admins");
  return {};
}

Request request_of(Parsed parsed, const Services& services) {
  const Command* command = services.table->find(parsed.spec->name);
  Request request{.command = command, .parsed = std::move(parsed)};
  request.dry_run = is_dry_run(*command, request.parsed.arguments);
  request.changing = !request.dry_run && request.parsed.level > Level::reads;
  return request;
}

namespace {

core::Result<void> fresh(const matrix::Event& event, bool changing) {
  const auto limit = changing ? std::chrono::duration_cast<std::chrono::milliseconds>(changing_age_limit)
                              : std::chrono::duration_cast<std::chrono::milliseconds>(reading_age_limit);
  if (event.age <= limit) return {};
  return core::fail(core::Code::conflict, "I was away; this was sent " + core::format_age(std::chrono::duration_cast<std::chrono::seconds>(event.age)) + " ago",
                    "an old command never runs by itself", "send it again if you still want it");
}

}  // namespace

awaitable<void> State::audit(const Context& context, const Performed& performed) {
  db::AuditRow row;
  row.actor = context.asker.str();
  row.role = context.schedule ? fmt::format("schedule {}", context.schedule->number) : std::string(name(context.role));
  row.event_id = context.command_event.str();
  row.line = context.line;
  row.outcome = performed.outcome;
  row.job = performed.number;
  auto added = co_await services.stores->audit.add(std::move(row));
  if (!added) core::log_error("audit", "a command was not recorded: {}", core::describe(added.error()));
}

awaitable<core::Result<core::EventId>> State::sent_event(std::string cause, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    auto row = co_await services.stores->outbox.find(cause);
    if (!row) co_return core::fail(row.error());
    if (*row && !(*row)->event_id.empty()) co_return (*row)->event_id;
    if (std::chrono::steady_clock::now() >= until || (*row && (*row)->state == "dropped"))
      co_return core::fail(core::Code::unavailable, "Synapse does not take the bot's messages", "the send is still waiting",
                           "the log says why; !ping tests the way");
    const bool alive = co_await async::sleep_for(std::chrono::milliseconds(20));
    if (!alive) co_return core::fail(core::Code::cancelled, "The bot is stopping");
  }
}

awaitable<core::Result<void>> State::prove_database(const Context& context) {
  if (context.command_event.empty() || room.id().empty()) co_return core::Result<void>();
  const std::string cause = status_cause(context.command_event);
  auto reacted = co_await room.react(cause, context.command_event, "⏳");
  if (!reacted) co_return core::fail(reacted.error());
  auto event = co_await sent_event(cause, std::chrono::seconds(20));
  if (!event) co_return core::fail(event.error());
  co_return co_await verify_database(*event, services);
}

awaitable<Performed> State::say_to_plan(Say say, Context context, std::optional<matrix::Event> event, Deliver deliver) {
  if (event) {
    auto proven = co_await verify_event(*event, services);
    if (!proven) {
      if (proven.error().source == "FORGED") co_await report_forgery(*event, proven.error());
      else co_await deliver(of(proven.error()));
      co_return refused(proven.error());
    }
  }
  const bool declines = say.kind == Say::Kind::no;
  auto answered = co_await plans.answer(std::move(say), context.asker, context.role, context.command_event, context.terminal);
  if (!answered) {
    co_await deliver(of(answered.error()));
    co_return refused(answered.error());
  }
  if (!answered->text.empty()) {
    Answer answer;
    answer.message.paragraph(answered->text);
    co_await deliver(std::move(answer));
  }
  Performed performed;
  performed.ok = answered->confirmed || (declines && answered->number != 0);
  performed.number = answered->number;
  performed.confirmed = answered->confirmed;
  performed.outcome = answered->confirmed ? fmt::format("confirmed plan {}", answered->number)
                      : performed.ok      ? fmt::format("declined plan {}", answered->number)
                                          : "not confirmed: " + answered->text;
  co_return performed;
}

namespace {

// A bare "yes 41 word" that came as the command !yes.
std::optional<Say> say_of(const Parsed& parsed, const core::EventId& in_reply_to) {
  if (parsed.spec->name != "yes" && parsed.spec->name != "no") return std::nullopt;
  return read_say(parsed.line, in_reply_to);
}

}  // namespace

namespace {

bool shows_status(const Command& command, bool dry_run, bool changing) { return (changing || dry_run) && !command.spec.control; }

}  // namespace

awaitable<Performed> State::perform(Typed typed, Context context, std::optional<matrix::Event> event, Deliver deliver) {
  Outcome outcome = parse(typed, services.table->specs(), services.options->server_name, services.options->time_zone);
  if (const Unknown* unknown = std::get_if<Unknown>(&outcome)) {
    if (unknown->nearest.empty() && !context.terminal) co_return Performed{"no command of ours", true, 0, false, {}};
    Answer answer;
    answer.message.paragraph("There is no such command. " + (unknown->nearest.empty() ? std::string("!help lists them.")
                                                                                       : "Did you mean !" + core::join(unknown->nearest, ", !") + "?"));
    co_await deliver(std::move(answer));
    co_return Performed{"unknown command", false, 0, false, {}};
  }
  if (const core::Error* error = std::get_if<core::Error>(&outcome)) {
    co_await deliver(of(*error));
    co_return Performed{"not understood", false, 0, false, {}};
  }
  Parsed parsed = std::move(std::get<Parsed>(outcome));
  context.line = parsed.line;
  Performed performed;
  if (auto say = say_of(parsed, event ? event->in_reply_to : core::EventId()))
    performed = co_await say_to_plan(std::move(*say), context, std::move(event), std::move(deliver));
  else
    performed = co_await perform_parsed(std::move(parsed), context, std::move(event), std::move(deliver));
  co_await audit(context, performed);
  co_return performed;
}

awaitable<Performed> State::perform_parsed(Parsed parsed, Context context, std::optional<matrix::Event> event, Deliver deliver) {
  const Request request = request_of(std::move(parsed), services);
  const Command* command = request.command;
  const bool with_status = shows_status(*command, request.dry_run, request.changing);
  auto arguments = co_await check(request, context, event);
  Performed performed;
  if (!arguments) {
    performed = refused(arguments.error());
    if (arguments.error().source == "FORGED") {
      co_await report_forgery(*event, arguments.error());
      co_return performed;
    }
    co_await deliver(of(arguments.error()));
  } else if (command->answer && !(command->plan && request.changing)) {
    performed = co_await answer(request, std::move(*arguments), context, std::move(deliver));
  } else {
    performed = co_await plan(request, std::move(*arguments), context, std::move(deliver));
  }
  // A plan or job sets the sign itself, when it ends.
  const bool answered = arguments && performed.number == 0;
  if (performed.number == 0 && (with_status || answered)) co_await set_status(services, room, context.command_event, performed.ok ? "✅" : "❌");
  co_return performed;
}

awaitable<core::Result<Arguments>> State::check(const Request& request, Context& context, const std::optional<matrix::Event>& event) {
  const Spec& spec = *request.parsed.spec;
  core::Result<void> may = allowed(spec, request.parsed.level, request.dry_run, context);
  if (may && event && !always_acts(spec)) may = fresh(*event, request.changing);
  if (!may) co_return core::fail(may.error());
  if (event && request.changing) {
    matrix::Event pushed = *event;
    auto proven = co_await verify_event(std::move(pushed), services);
    if (!proven) co_return core::fail(proven.error());
  }
  if (shows_status(*request.command, request.dry_run, request.changing)) {
    auto proven = co_await prove_database(context);
    if (!proven) co_return core::fail(proven.error());
  }
  co_return co_await resolve(request.parsed.arguments, spec, context);
}

awaitable<Performed> State::answer(const Request& request, Arguments arguments, Context context, Deliver deliver) {
  context.reports = true;
  auto answer = co_await request.command->answer(std::move(arguments), context);
  if (!answer) {
    co_await deliver(of(answer.error()));
    co_return Performed{"error: " + answer.error().what, false, 0, false, {}};
  }
  Performed performed{"answered", true, 0, false, answer->json};
  co_await deliver(std::move(*answer));
  co_return performed;
}

awaitable<Performed> State::plan(const Request& request, Arguments arguments, Context context, Deliver deliver) {
  const Spec& spec = request.command->spec;
  auto plan = co_await request.command->plan(std::move(arguments), context);
  core::Result<void> still = plan ? core::Result<void>() : core::fail(plan.error());
  if (plan && !spec.control) still = co_await plans.leave_out_busy(*plan);
  // The plan may be worse than its command line looked.
  if (still && !request.dry_run) still = allowed(spec, static_cast<Level>(plan->level), false, context);
  if (!still) {
    co_await deliver(of(still.error()));
    co_return Performed{"error: " + still.error().what, false, 0, false, {}};
  }
  if (request.dry_run || plan->items.empty()) {
    Answer answer;
    answer.message = request.dry_run ? dry_run_card(*plan, spec) : nothing_to_do_card(*plan);
    co_await deliver(std::move(answer));
    co_return Performed{request.dry_run ? "dry run" : "nothing to do", true, 0, false, {}};
  }
  if (context.schedule) keep_to_cap(*plan, *context.schedule);
  const bool runs_at_once = plan->level <= static_cast<int>(Level::reversible) || !plan->confirmed_by.empty();
  auto number = co_await plans.propose(std::move(*plan), context);
  if (number) co_return Performed{fmt::format("plan {}", *number), true, *number, runs_at_once, {}};
  // The same event again after a crash: its plan stands in the room already.
  if (number.error().code == core::Code::conflict) {
    auto before = co_await services.stores->jobs.find_by_command_event(context.command_event);
    co_return Performed{"already planned", true, before && *before ? (*before)->number : 0, false, {}};
  }
  co_await deliver(of(number.error()));
  co_return Performed{"error: " + number.error().what, false, 0, false, {}};
}

}  // namespace steward::command
