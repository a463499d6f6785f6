// Schedules: what runs by itself, made under a plan that is a dry run of its command. How they run is bot/command/scheduled.cpp.
// I/O thread; store, and what the scheduled command reads for its plan. The manual page is schedules.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/cards.hpp"
#include "command/context.hpp"
#include "command/data_table.hpp"
#include "command/request.hpp"
#include "command/resolve.hpp"
#include "command/schedule_cap.hpp"
#include "commands/all.hpp"
#include "commands/dry_run.hpp"
#include "commands/schedules.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Role;
using command::Type;

namespace {

constexpr int times_shown = 3;
constexpr std::size_t plan_lines_shown = 5;
constexpr int heavy_level = 2;

std::string author_words(const core::UserId& author) { return author.empty() ? "the bot" : author.str(); }

std::string state_words(const db::ScheduleRow& schedule, const std::string& zone) {
  if (schedule.state == "paused") return "paused" + (schedule.reason.empty() ? std::string() : ": " + core::clean_name(schedule.reason, 80));
  if (schedule.state == "ended") return "over";
  return schedule.next_run ? "next " + core::format_time(*schedule.next_run, zone) : "no time set (!settings report-hours)";
}

std::string times_words(const core::Timetable& timetable, core::TimePoint first, const core::Daytime& day) {
  std::string words = core::format_time(first, day.zone);
  std::optional<core::TimePoint> time = first;
  for (int shown = 1; shown < times_shown && timetable.repeats(); ++shown) {
    time = core::next_run(timetable, *time, day);
    if (!time) break;
    words += ", " + core::format_time(*time, day.zone);
  }
  return fmt::format("{} ({})", words, day.zone);
}

std::string cap_line(const db::ScheduleRow& schedule, const jobs::Plan& now, bool bounded) {
  if (bounded) return fmt::format("Bound: {} a run at most; what is left is for the next one", command::cap_words(schedule));
  if (now.items.empty()) return "Cap: nothing, because nothing is to do now; a run that finds something posts its plan and waits";
  return fmt::format("Cap: {} a run, twice what it would take now; a run that plans more posts its plan and waits", command::cap_words(schedule));
}

// What run() keeps, through the journal.
void put(jobs::Plan& plan, const db::ScheduleRow& schedule) {
  plan.parameters["timetable"] = schedule.timetable;
  plan.parameters["line"] = schedule.line;
  plan.parameters["level"] = std::to_string(schedule.level);
  plan.parameters["items"] = std::to_string(schedule.cap_items);
  plan.parameters["rows"] = std::to_string(schedule.cap_rows);
  plan.parameters["bytes"] = std::to_string(schedule.cap_bytes);
}

db::ScheduleRow taken_from(const jobs::Plan& plan) {
  db::ScheduleRow schedule;
  schedule.timetable = plan.parameters.at("timetable");
  schedule.line = plan.parameters.at("line");
  schedule.level = std::stoi(plan.parameters.at("level"));
  schedule.cap_items = std::stoll(plan.parameters.at("items"));
  schedule.cap_rows = std::stoll(plan.parameters.at("rows"));
  schedule.cap_bytes = std::stoll(plan.parameters.at("bytes"));
  return schedule;
}

jobs::Plan plan_over(const db::ScheduleRow& schedule, const core::Timetable& timetable, core::TimePoint first, const core::Daytime& day,
                     const jobs::Plan& now, bool bounded) {
  jobs::Plan plan;
  plan.title = fmt::format("{} · {}", schedule.timetable, core::clean_name(schedule.line, 200));
  plan.level = std::max(static_cast<int>(Level::reversible), now.level);
  plan.level_reason = now.level_reason;
  plan.second_admin = now.second_admin;
  plan.lines.push_back("Runs: " + times_words(timetable, first, day));
  plan.lines.push_back("Now it would: " + now.title);
  for (std::size_t index = 0; index < std::min(now.lines.size(), plan_lines_shown); ++index) plan.lines.push_back(now.lines[index]);
  if (now.level > static_cast<int>(Level::reads)) plan.lines.push_back(cap_line(schedule, now, bounded));
  const auto quiet = schedule.level >= heavy_level ? core::quiet_until(first, day) : std::nullopt;
  if (quiet) plan.lines.push_back("Quiet hours: it waits for their end, " + core::format_time(*quiet, day.zone));
  plan.word = now.items.empty() ? "schedule" : std::to_string(now.items.size());
  jobs::Item item;
  item.kind = "schedule";
  item.target = plan.title;
  item.label = plan.title;
  plan.items.push_back(std::move(item));
  put(plan, schedule);
  return plan;
}

awaitable<core::Result<jobs::Plan>> plan_add(Arguments arguments, Context& context) {
  return plan_schedule("add-schedule", arguments.text("when"), arguments.text("command"), std::nullopt, context);
}

// Whoever lets a schedule run needs the role that its command needs.
core::Result<void> may_run(const db::ScheduleRow& schedule, const Context& context) {
  const auto request = command::read_scheduled(schedule.line, context.services);
  if (!request) return core::fail(request.error());
  const Level level = request->dry_run ? Level::reads : std::max(request->parsed.level, static_cast<Level>(schedule.level));
  return command::allowed(*request->parsed.spec, level, request->dry_run, context);
}

using Change = awaitable<core::Result<std::string>> (*)(db::ScheduleRow schedule, Context& context);

awaitable<core::Result<std::string>> remove_one(db::ScheduleRow schedule, Context& context) {
  auto removed = co_await context.stores().schedules.remove(schedule.number);
  if (!removed) co_return core::fail(removed.error());
  co_return fmt::format("Schedule {} is removed. Undo: !schedule add \"{}\" {}", schedule.number, schedule.timetable, schedule.line);
}

awaitable<core::Result<std::string>> pause_one(db::ScheduleRow schedule, Context& context) {
  if (schedule.state != "active") co_return fmt::format("Schedule {} does not run: {}.", schedule.number, state_words(schedule, "UTC"));
  auto set = co_await context.stores().schedules.set_state(schedule.number, "paused", "by " + context.asker.str(), std::nullopt);
  if (!set) co_return core::fail(set.error());
  co_return fmt::format("Schedule {} is paused. Undo: !schedule resume {}", schedule.number, schedule.number);
}

awaitable<core::Result<std::string>> resume_one(db::ScheduleRow schedule, Context& context) {
  if (schedule.state == "active") co_return fmt::format("Schedule {} is not paused.", schedule.number);
  if (auto may = may_run(schedule, context); !may) co_return core::fail(may.error());
  const auto timetable = core::parse_timetable(schedule.timetable);
  if (!timetable) co_return core::fail(timetable.error());
  auto now = co_await context.stores().schedules.now();
  if (!now) co_return core::fail(now.error());
  const core::Daytime day = command::daytime(context.options());
  const auto next = timetable->repeats() ? core::next_run(*timetable, *now, day) : std::nullopt;
  if (!next)
    co_return core::fail(core::Code::conflict, fmt::format("Schedule {} has no time to come", schedule.number), "it was for once",
                         fmt::format("!schedule run {} does it now", schedule.number));
  auto set = co_await context.stores().schedules.set_state(schedule.number, "active", "", next);
  if (!set) co_return core::fail(set.error());
  co_return fmt::format("Schedule {} goes on, next {}. Undo: !schedule pause {}", schedule.number, core::format_time(*next, day.zone), schedule.number);
}

awaitable<core::Result<Answer>> change_each(Arguments arguments, Context& context, Change change) {
  Answer answer;
  for (const std::string& word : arguments.list("number")) {
    auto schedule = co_await find_schedule(std::stoll(word), context);
    if (!schedule) co_return core::fail(schedule.error());
    auto said = co_await change(std::move(*schedule), context);
    if (!said) co_return core::fail(said.error());
    answer.message.paragraph(std::move(*said));
  }
  co_return answer;
}

awaitable<core::Result<Answer>> run_now(Arguments arguments, Context& context) {
  auto schedule = co_await find_schedule(*arguments.integer("number"), context);
  if (!schedule) co_return core::fail(schedule.error());
  if (auto may = may_run(*schedule, context); !may) co_return core::fail(may.error());
  co_return co_await context.services.run_schedule(std::move(*schedule), context);
}

Command base(std::string name, std::string summary, std::string example) {
  Command command;
  command.spec.name = std::move(name);
  command.spec.group = command::Group::schedules;
  command.spec.summary = std::move(summary);
  command.spec.level = Level::reversible;
  command.spec.role = Role::operator_;
  command.spec.safe_while_running = "yes";
  command.spec.examples = {{std::move(example), ""}};
  command.spec.control = true;
  command.manual = manual("schedules");
  return command;
}

Command that_changes(std::string name, std::string summary, std::string example, Change change) {
  Command command = base(std::move(name), std::move(summary), std::move(example));
  command.spec.arguments = {command::list_of("number", Type::integer, "of the schedule, as !schedules shows it")};
  command.answer = [change](Arguments arguments, Context& context) { return change_each(std::move(arguments), context, change); };
  return command;
}

}  // namespace

bool is_policy(const db::ScheduleRow& schedule) { return schedule.line.starts_with(std::string(policy_command) + " "); }

awaitable<core::Result<Answer>> list_schedules(Arguments arguments, bool policies, Context& context) {
  auto all = co_await context.stores().schedules.all();
  if (!all) co_return core::fail(all.error());
  if (policies) std::erase_if(*all, [](const db::ScheduleRow& schedule) { return !is_policy(schedule); });
  const auto limit = static_cast<std::size_t>(arguments.integer("limit").value_or(8));
  const std::string& zone = context.options().time_zone;
  const std::string what = policies ? "policies" : "schedules";
  Answer answer;
  answer.message.title(all->empty() ? "No " + what : (policies ? "Policies" : "Schedules") + std::string(context.services.runner->frozen() ? " · frozen" : ""));
  command::DataTable table;
  table.columns = {{"number", true}, {"timetable"}, {"line"}, {"author"}, {"state"}, {"reason"}, {"next_run"}, {"last_outcome"}, {"last_job", true}};
  for (const db::ScheduleRow& schedule : *all) {
    const std::string next = schedule.next_run ? core::format_time(*schedule.next_run, zone) : "";
    table.rows.push_back({std::to_string(schedule.number), schedule.timetable, schedule.line, author_words(schedule.author), schedule.state,
                          schedule.reason, next, schedule.last_outcome, std::to_string(schedule.last_job)});
    if (table.rows.size() > limit) continue;
    matrix::Text text{matrix::bold(fmt::format("{} · {}", schedule.number, schedule.timetable)), matrix::plain(" · " + core::clean_name(schedule.line, 80))};
    std::string detail = state_words(schedule, zone) + " · " + author_words(schedule.author);
    if (!schedule.last_outcome.empty()) detail += " · last: " + core::clean_name(schedule.last_outcome, 60);
    matrix::Text details{matrix::plain(detail)};
    answer.message.entry(std::move(text), std::move(details));
  }
  if (all->size() > limit) answer.message.paragraph(fmt::format("and {} more: --limit {}", all->size() - limit, all->size()));
  if (all->empty()) answer.message.paragraph(policies ? "!policy add media 90d --remote" : "!schedule add \"daily 03:00\" purge-media 30d");
  answer.json = command::to_json(table);
  co_return answer;
}

awaitable<core::Result<jobs::Plan>> plan_schedule(std::string command, std::string when, std::string line, std::optional<Bound> bound, Context& context) {
  const auto timetable = core::parse_timetable(when);
  if (!timetable) co_return core::fail(timetable.error());
  auto request = command::read_scheduled(line, context.services);
  if (!request) co_return core::fail(request.error());
  auto may = command::allowed(*request->parsed.spec, request->parsed.level, request->dry_run, context);
  if (!may) co_return core::fail(may.error());
  auto now = co_await context.stores().schedules.now();
  if (!now) co_return core::fail(now.error());
  const core::Daytime day = command::daytime(context.options());
  const auto first = core::first_run(*timetable, *now, day);
  if (!first && timetable->kind == core::Timetable::Kind::date)
    co_return core::fail(core::Code::bad_input, "That time has passed, or clocks skip it", timetable->text, "Give a time to come.");
  if (!first)
    co_return core::fail(core::Code::bad_input, "It would never run", "the report hours are off", "!settings report-hours 08:00 sets them.");
  auto would = co_await dry_run(*request, context);
  if (!would) co_return core::fail(would.error());
  db::ScheduleRow schedule;
  schedule.timetable = timetable->text;
  schedule.line = request->parsed.line;
  command::set_cap(schedule, *would);
  if (bound) {
    schedule.cap_items = bound->items;
    schedule.cap_rows = command::no_cap;
    schedule.cap_bytes = bound->bytes ? bound->bytes->count : command::no_cap;
  }
  // What is kept must be the command that was planned: a line whose long list was cut, or whose secret was masked, is not.
  const auto again = command::read_scheduled(schedule.line, context.services);
  if (!again || again->parsed.arguments.all() != request->parsed.arguments.all())
    co_return core::fail(core::Code::bad_input, "This command cannot be kept as a line", "its list is too long, or it holds what looks like a secret",
                         "Schedule it with fewer words.");
  jobs::Plan plan = plan_over(schedule, *timetable, *first, day, *would, bound.has_value());
  plan.command = std::move(command);
  co_return plan;
}

awaitable<core::Result<jobs::Receipt>> make_schedule(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  db::ScheduleRow schedule = taken_from(plan);
  auto job = co_await context.stores().jobs.find(progress.job());
  if (!job) co_return core::fail(job.error());
  auto now = co_await context.stores().schedules.now();
  if (!now) co_return core::fail(now.error());
  const auto timetable = core::parse_timetable(schedule.timetable);
  if (!timetable) co_return core::fail(timetable.error());
  const core::Daytime day = command::daytime(context.options());
  schedule.author = context.asker;
  schedule.confirmed_by = *job && !(*job)->confirmed_by.empty() ? (*job)->confirmed_by : context.asker;
  schedule.origin_job = progress.job();
  schedule.next_run = core::first_run(*timetable, *now, day);
  if (!schedule.next_run) co_return core::fail(core::Code::conflict, "Its time passed before it was confirmed");
  const core::TimePoint first = *schedule.next_run;
  const std::string what = is_policy(schedule) ? "policy" : "schedule";
  auto number = co_await context.stores().schedules.add(std::move(schedule));
  if (!number) co_return core::fail(number.error());
  auto done = co_await context.stores().jobs.item_acting(progress.job(), 0);
  if (done) done = co_await context.stores().jobs.item_finished(progress.job(), 0, "done", "", 0, 0);
  jobs::Receipt receipt;
  receipt.title = fmt::format("{} {} runs {}", what == "policy" ? "Policy" : "Schedule", *number, plan.title);
  receipt.lines.push_back("Next: " + core::format_time(first, day.zone));
  receipt.lines.push_back(fmt::format("Undo: !{} remove {}", what, *number));
  co_return receipt;
}

awaitable<core::Result<db::ScheduleRow>> find_schedule(std::int64_t number, Context& context) {
  auto schedule = co_await context.stores().schedules.find(number);
  if (!schedule) co_return core::fail(schedule.error());
  if (!*schedule) co_return core::fail(core::Code::not_found, fmt::format("There is no schedule {}", number), {}, "!schedules lists them");
  co_return std::move(**schedule);
}

Command schedules() {
  Command command = base("schedules", "What runs by itself, and when", "schedules");
  command.spec.level = Level::reads;
  command.spec.control = false;
  command.spec.arguments = {command::standard::limit()};
  command.answer = [](Arguments arguments, Context& context) { return list_schedules(std::move(arguments), false, context); };
  return command;
}

Command add_schedule() {
  Command command = base("add-schedule", "Let a command run by itself: `!schedule add \"<when>\" <command>`", "schedule add \"daily 03:00\" purge-media 30d");
  command.spec.arguments = {command::positional("when", Type::text, "when it runs, in quotes: \"daily 03:00\", \"every 6h\", \"in 2h\""),
                            command::positional("command", Type::command, "what runs, with its flags; the time before it stands in quotes"),
                            command::standard::dry_run()};
  command.plan = plan_add;
  command.run = make_schedule;
  return command;
}

Command remove_schedule() { return that_changes("remove-schedule", "Take schedules away", "schedule remove 3", remove_one); }

Command pause_schedule() { return that_changes("pause-schedule", "Hold schedules until they are resumed", "schedule pause 3", pause_one); }

Command resume_schedule() { return that_changes("resume-schedule", "Let paused schedules go on from now", "schedule resume 3", resume_one); }

Command run_schedule() {
  Command command = base("run-schedule", "Run a schedule's command now, once, under its cap", "schedule run 3");
  command.spec.arguments = {command::positional("number", Type::integer, "of the schedule")};
  command.answer = run_now;
  return command;
}

}  // namespace steward::commands
