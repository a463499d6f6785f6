// How a schedule runs its command: read and judged anew each time, then the same way as a typed one. See dispatcher.hpp.
#include <fmt/format.h>

#include <algorithm>

#include "command/cards.hpp"
#include "command/dispatcher_state.hpp"
#include "command/resolve.hpp"
#include "command/roles.hpp"
#include "command/schedule_cap.hpp"
#include "command/status.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace steward::command {

using boost::asio::awaitable;
using State = Dispatcher::State;
using RunEnd = jobs::Scheduler::RunEnd;

namespace {

constexpr auto announcement_limit = std::chrono::seconds(30);
constexpr auto worth_telling = std::chrono::seconds(60);
constexpr std::size_t most_missed_shown = 12;

// Not begun, and worth another try.
const std::string not_yet = "not yet";

bool by_person(const core::UserId& author) { return author.str().starts_with('@'); }

std::string title_of(const db::ScheduleRow& schedule) {
  return fmt::format("Schedule {} · {} · {}", schedule.number, schedule.timetable, core::clean_name(schedule.line, 80));
}

bool means_only_now(const Argument& argument, const std::string& value) {
  const bool points = argument.type == Type::room || argument.type == Type::user || argument.type == Type::media ||
                      argument.type == Type::event || argument.type == Type::handle;
  return points && value.find_first_of("@!#$:/") == std::string::npos;
}

std::vector<core::UserId> who_hears(const core::UserId& author, const Options& options) {
  if (by_person(author)) return {author};
  return options.admins;
}

// The author's role now; the terminal and the bot itself have no account that could lose one.
awaitable<core::Result<Role>> role_of_author(core::UserId author, Services& services) {
  if (!by_person(author)) co_return Role::admin;
  co_return co_await role_of(std::move(author), services);
}

}  // namespace

core::Result<Request> read_scheduled(std::string_view line, const Services& services) {
  Typed typed;
  typed.exclamation = true;
  typed.line = std::string(core::trim(line));
  if (typed.line.starts_with('!')) typed.line.erase(0, 1);
  // A schedule is confirmed when it is made: the terminal's word for that is heard and not kept.
  if (typed.line.ends_with(" --yes")) typed.line.resize(typed.line.size() - 6);
  Outcome outcome = parse(typed, services.table->specs(), services.options->server_name, services.options->time_zone);
  if (const Unknown* unknown = std::get_if<Unknown>(&outcome))
    return core::fail(core::Code::bad_input, "The schedule's command is none", core::echo_word(typed.line.substr(0, typed.line.find(' '))) + " is not understood",
                      unknown->nearest.empty() ? "!help lists them." : "Did you mean !" + core::join(unknown->nearest, ", !") + "?");
  if (const core::Error* error = std::get_if<core::Error>(&outcome)) return core::fail(*error);
  Request request = request_of(std::move(std::get<Parsed>(outcome)), services);
  const Spec& spec = *request.parsed.spec;
  const bool about_schedules = spec.name == "schedule" || spec.name == "schedules";  // not so the reports of their group
  if (spec.control || spec.group == Group::jobs || about_schedules)
    return core::fail(core::Code::bad_input, fmt::format("!{} cannot be scheduled", spec.name), "it is for a person at that moment",
                      "What reads, and what makes a job, can be.");
  for (const Argument& argument : spec.arguments)
    for (const std::string& value : request.parsed.arguments.has(argument.name) ? request.parsed.arguments.list(argument.name) : std::vector<std::string>())
      if (means_only_now(argument, value))
        return core::fail(core::Code::bad_input, fmt::format("{} means something only now", core::echo_word(value)),
                          "a schedule runs when the list it comes from is forgotten", "Write the full id.");
  return request;
}

awaitable<Performed> State::perform_scheduled(Request request, Context context, Deliver deliver) {
  auto arguments = co_await resolve(request.parsed.arguments, *request.parsed.spec, context);
  Performed performed;
  if (!arguments) {
    Answer answer;
    answer.message = error_card(arguments.error());
    co_await deliver(std::move(answer));
    performed.outcome = "error: " + arguments.error().what;
  } else if (request.command->answer && !(request.command->plan && request.changing)) {
    performed = co_await answer(request, std::move(*arguments), context, std::move(deliver));
  } else {
    performed = co_await plan(request, std::move(*arguments), context, std::move(deliver));
  }
  if (performed.number == 0) co_await set_status(services, room, context.command_event, performed.ok ? "✅" : "❌");
  co_await audit(context, performed);
  const std::int64_t number = context.schedule->number;
  auto noted = co_await services.stores->schedules.note_outcome(number, performed.outcome, performed.number);
  if (!noted) core::log_warning("schedules", "the outcome of schedule {} is not noted: {}", number, core::describe(noted.error()));
  co_return performed;
}

awaitable<core::Result<bool>> State::last_run_is_open(db::ScheduleRow schedule) {
  if (schedule.last_job == 0) co_return false;
  auto job = co_await services.stores->jobs.find(schedule.last_job);
  if (!job) co_return core::fail(job.error());
  co_return *job && ((*job)->state == "waiting" || (*job)->state == "queued" || (*job)->state == "running");
}

awaitable<core::Result<core::EventId>> State::announce(db::ScheduleRow schedule, std::string cause, std::chrono::seconds late) {
  matrix::Message message;
  message.title("🗓 " + title_of(schedule));
  if (late >= worth_telling) message.paragraph(core::format_age(late) + " late");
  matrix::Envelope envelope;
  co_return co_await room.say_and_wait(std::move(cause), std::move(message), std::move(envelope), announcement_limit);
}

awaitable<void> State::pause_schedule(db::ScheduleRow schedule, core::Error why) {
  auto paused = co_await services.stores->schedules.set_state(schedule.number, "paused", why.what.substr(0, why.what.find('\n')), std::nullopt);
  if (!paused || !*paused) co_return;
  const std::string what = why.what;
  why.what = fmt::format("{} is paused: {}", title_of(schedule), what);
  matrix::Message card = error_card(why);
  card.paragraph(fmt::format("!schedule resume {} lets it go on, !schedule remove {} takes it away.", schedule.number, schedule.number));
  matrix::Envelope envelope;
  envelope.notice = false;
  envelope.mentions = who_hears(schedule.author, *services.options);
  // Its last run makes the cause another one when it pauses again.
  const std::int64_t last = schedule.last_run ? core::to_unix_ms(*schedule.last_run) : 0;
  co_await room.say(fmt::format("schedule:{}:paused:{}:{}", schedule.number, last, schedule.last_job), std::move(card), std::move(envelope));
  db::AuditRow row;
  row.actor = schedule.author.str();
  row.role = fmt::format("schedule {}", schedule.number);
  row.line = schedule.line;
  row.outcome = "paused: " + what;
  auto audited = co_await services.stores->audit.add(std::move(row));
  if (!audited) core::log_error("audit", "a paused schedule was not recorded: {}", core::describe(audited.error()));
}

// What came of it; not_yet when it could not begin.
awaitable<std::string> State::run_schedule(db::ScheduleRow schedule, core::TimePoint planned, std::chrono::seconds late) {
  if (!room.usable()) co_return not_yet;
  auto open = co_await last_run_is_open(schedule);
  if (!open) co_return not_yet;
  const std::string cause = fmt::format("schedule:{}:{}", schedule.number, core::to_unix_ms(planned));
  auto before = co_await services.stores->outbox.find(cause);
  if (!before) co_return not_yet;
  if (*open && !*before) {
    matrix::Message message;
    message.paragraph(fmt::format("Schedule {} does not run now: its job {} of the last time is not over.", schedule.number, schedule.last_job));
    co_await room.say(cause, std::move(message), matrix::Envelope());
    co_return "skipped: the run before is not over";
  }
  auto request = read_scheduled(schedule.line, services);
  auto role = co_await role_of_author(schedule.author, services);
  if (!role && core::is_temporary(role.error())) co_return not_yet;
  Context context{services, schedule.author, role.value_or(Role::none), !by_person(schedule.author), core::EventId(), std::nullopt, schedule.line, schedule};
  core::Result<void> may = request ? role ? allowed(*request->parsed.spec, request->parsed.level, request->dry_run, context)
                                          : core::Result<void>(core::fail(role.error()))
                                   : core::Result<void>(core::fail(request.error()));
  if (!may && services.runner->frozen()) co_return not_yet;
  if (!may) {
    core::Error why = may.error();
    if (request && !role) why.what = fmt::format("{} may not command here any more", schedule.author.str());
    co_await pause_schedule(std::move(schedule), std::move(why));
    co_return "paused";
  }
  context.line = request->parsed.line;
  matrix::Envelope envelope;
  std::string answer_cause = cause;
  const bool reads = request->command->answer && !request->changing && !request->dry_run;
  if (!reads) {
    auto announced = co_await announce(schedule, cause, late);
    if (!announced) co_return not_yet;
    context.command_event = *announced;
    envelope.reply_to = *announced;
    answer_cause += ":answer";
    auto proven = co_await prove_database(context);
    if (!proven && core::is_temporary(proven.error())) co_return not_yet;
    if (!proven) {
      co_await pause_schedule(std::move(schedule), proven.error());
      co_return "paused";
    }
  }
  Deliver deliver = delivery(std::move(answer_cause), std::move(envelope), schedule.author);
  Performed performed = co_await perform_scheduled(std::move(*request), std::move(context), std::move(deliver));
  co_return performed.outcome;
}

awaitable<core::Result<Answer>> State::run_schedule_now(db::ScheduleRow schedule, Context context) {
  auto open = co_await last_run_is_open(schedule);
  if (!open) co_return core::fail(open.error());
  if (*open)
    co_return core::fail(core::Code::conflict, fmt::format("Schedule {} runs already", schedule.number), fmt::format("its job {} is not over", schedule.last_job),
                         fmt::format("!job {} shows it", schedule.last_job));
  auto request = read_scheduled(schedule.line, services);
  if (!request) co_return core::fail(request.error());
  context.schedule = schedule;
  context.line = request->parsed.line;
  const Level level = request->dry_run ? Level::reads : std::max(request->parsed.level, static_cast<Level>(schedule.level));
  auto may = allowed(*request->parsed.spec, level, request->dry_run, context);
  if (!may) co_return core::fail(may.error());
  if (!request->command->answer || request->changing) {
    auto proven = co_await prove_database(context);
    if (!proven) co_return core::fail(proven.error());
  }
  auto given = std::make_shared<Answer>();
  Deliver deliver = [given](Answer answer) -> awaitable<void> {
    *given = std::move(answer);
    co_return;
  };
  const std::int64_t number = schedule.number;
  Performed performed = co_await perform_scheduled(std::move(*request), std::move(context), std::move(deliver));
  if (performed.number != 0) given->message.paragraph(fmt::format("Schedule {}: {} {}.", number, performed.confirmed ? "job" : "plan", performed.number));
  co_return std::move(*given);
}

awaitable<RunEnd> Dispatcher::run_schedule(db::ScheduleRow schedule, core::TimePoint planned, std::chrono::seconds late) {
  const std::int64_t number = schedule.number;
  std::string outcome = "an exception";
  try {
    outcome = co_await state_->run_schedule(std::move(schedule), planned, late);
  } catch (const std::exception& failure) {
    core::log_error("schedules", "schedule {} ended with an exception: {}", number, failure.what());
  }
  if (outcome == not_yet) co_return RunEnd::later;
  core::log_info("schedules", "schedule {}: {}", number, outcome);
  co_return RunEnd::over;
}

awaitable<void> Dispatcher::pause_schedule(db::ScheduleRow schedule, core::Error why) {
  co_await state_->pause_schedule(std::move(schedule), std::move(why));
}

awaitable<bool> Dispatcher::tell_missed(std::vector<jobs::MissedRun> missed) {
  State& state = *state_;
  const Options& options = *state.services.options;
  matrix::Message message;
  message.title("Missed: these did not run while I was away, frozen, or the clock jumped");
  matrix::Envelope envelope;
  std::string cause = "schedules:missed";
  for (const jobs::MissedRun& one : missed) {
    const db::ScheduleRow& schedule = one.schedule;
    cause += fmt::format(":{}@{}", schedule.number, core::to_unix_ms(*schedule.next_run));
    if (schedule.level > 0) {
      envelope.notice = false;
      const auto hearers = who_hears(schedule.author, options);
      envelope.mentions.insert(envelope.mentions.end(), hearers.begin(), hearers.end());
    }
  }
  std::sort(envelope.mentions.begin(), envelope.mentions.end());
  envelope.mentions.erase(std::unique(envelope.mentions.begin(), envelope.mentions.end()), envelope.mentions.end());
  for (std::size_t index = 0; index < std::min(missed.size(), most_missed_shown); ++index) {
    const jobs::MissedRun& one = missed[index];
    std::string text = title_of(one.schedule) + ", planned " + core::format_time(one.newest, options.time_zone);
    if (one.count > 1) text += fmt::format(" and {} before", core::plural(one.count - 1, "time", "times"));
    message.entry(std::move(text));
  }
  if (missed.size() > most_missed_shown) message.paragraph(fmt::format("and {} more: !schedules", missed.size() - most_missed_shown));
  message.paragraph(fmt::format("!schedule run {} does it now, once.", missed.front().schedule.number));
  auto said = co_await state.room.say(std::move(cause), std::move(message), std::move(envelope));
  for (const jobs::MissedRun& one : missed) {
    db::AuditRow row;
    row.actor = one.schedule.author.str();
    row.role = fmt::format("schedule {}", one.schedule.number);
    row.line = one.schedule.line;
    row.outcome = "missed";
    if (said) co_await state.services.stores->audit.add(std::move(row));
  }
  co_return said.has_value();
}

awaitable<void> Dispatcher::tell_paused(std::vector<db::ScheduleRow> paused, std::string why) {
  State& state = *state_;
  if (paused.empty()) co_return;
  matrix::Message message;
  message.title("⏸ Schedules that change something are paused: " + why);
  std::string numbers, cause = "schedules:paused";
  for (const db::ScheduleRow& schedule : paused) {
    numbers += fmt::format(" {}", schedule.number);
    const std::string next = schedule.next_run ? core::format_time(*schedule.next_run, state.services.options->time_zone) : std::string("never");
    message.entry(fmt::format("{}, its next run was to be {}", title_of(schedule), next));
    cause += fmt::format(":{}@{}", schedule.number, schedule.next_run ? core::to_unix_ms(*schedule.next_run) : 0);
  }
  message.paragraph("Look before they go on: !schedule resume" + numbers);
  matrix::Envelope envelope;
  envelope.notice = false;
  envelope.mentions = state.services.options->admins;
  co_await state.room.say(std::move(cause), std::move(message), std::move(envelope));
}

}  // namespace steward::command
