// Jobs: what runs, what ran, its NOTICE lines, and the handles to stop, hold and continue it.
// They act on the runner at once and are no jobs themselves, except that continuing one is a plan over its open items.
// I/O thread; store only. The manual page is jobs.md.
#include <fmt/format.h>

#include "command/cards.hpp"
#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Group;
using command::Level;
using command::Role;
using command::Type;

namespace {

constexpr int shown_jobs = 10;
constexpr auto short_pause = std::chrono::minutes(10);

std::string state_words(const db::JobRow& job) { return job.reason.empty() ? job.state : job.state + " (" + job.reason + ")"; }

std::string when(const db::JobRow& job) {
  if (job.finished_ago >= std::chrono::seconds::zero()) return "ended " + core::format_age(job.finished_ago) + " ago";
  if (job.started_ago >= std::chrono::seconds::zero()) return "started " + core::format_age(job.started_ago) + " ago";
  return "planned " + core::format_age(job.created_ago) + " ago";
}

awaitable<core::Result<db::JobRow>> find_job(std::int64_t number, Context& context) {
  auto job = co_await context.stores().jobs.find(number);
  if (!job) co_return core::fail(job.error());
  if (!*job) co_return core::fail(core::Code::not_found, fmt::format("There is no job {}", number), {}, "!jobs shows what there is");
  co_return std::move(**job);
}

awaitable<core::Result<Answer>> list_jobs(Arguments arguments, Context& context) {
  const auto limit = arguments.integer("limit").value_or(shown_jobs);
  auto jobs = co_await context.stores().jobs.recent(static_cast<int>(std::min<std::int64_t>(limit, 50)));
  if (!jobs) co_return core::fail(jobs.error());
  Answer answer;
  answer.message.title(jobs->empty() ? "No jobs yet" : context.services.runner->frozen() ? "Jobs · frozen" : "Jobs");
  command::DataTable table;
  table.columns = {{"number", true}, {"command"}, {"line"}, {"state"}, {"reason"}, {"asker"}};
  for (const db::JobRow& job : *jobs) {
    matrix::Text text{matrix::bold(fmt::format("{} · {}", job.number, job.command)), matrix::plain(" · " + state_words(job))};
    std::string detail = job.asker.str() + " · " + when(job);
    if (context.services.runner->running() == job.number) detail = context.services.runner->running_header() + " · " + detail;
    matrix::Text details{matrix::plain(detail)};
    answer.message.entry(std::move(text), std::move(details));
    table.rows.push_back({std::to_string(job.number), job.command, job.line, job.state, job.reason, job.asker.str()});
  }
  answer.json = command::to_json(table);
  co_return answer;
}

awaitable<core::Result<Answer>> show_job(Arguments arguments, Context& context) {
  auto job = co_await find_job(*arguments.integer("number"), context);
  if (!job) co_return core::fail(job.error());
  auto totals = co_await context.stores().jobs.totals(job->number);
  if (!totals) co_return core::fail(totals.error());
  Answer answer;
  answer.message.title(fmt::format("Job {} · {} · {}", job->number, job->command, state_words(*job)));
  answer.message.paragraph(matrix::field("Asked by", job->asker.str()));
  if (!job->confirmed_by.empty()) answer.message.paragraph(matrix::field("Confirmed by", job->confirmed_by.str()));
  matrix::Text line{matrix::code(job->line)};
  answer.message.paragraph(std::move(line));
  answer.message.paragraph(when(*job));
  answer.message.paragraph(matrix::field("Items", fmt::format("{} open, {} under way, {} done, {} kept, {} failed, {} unknown", totals->planned, totals->acting,
                                                              totals->done, totals->kept, totals->failed, totals->unknown)));
  if (auto receipt = jobs::decode_receipt(job->receipt); receipt && !job->receipt.empty()) {
    answer.message.paragraph(receipt->title);
    answer.message.lines(receipt->lines);
  } else if (auto plan = jobs::decode_plan(job->plan)) {
    answer.message.paragraph(plan->title);
    answer.message.lines(plan->lines);
  }
  co_return answer;
}

awaitable<core::Result<Answer>> show_log(Arguments arguments, Context& context) {
  auto job = co_await find_job(*arguments.integer("number"), context);
  if (!job) co_return core::fail(job.error());
  auto lines = co_await context.stores().jobs.log_lines(job->number);
  if (!lines) co_return core::fail(lines.error());
  Answer answer;
  answer.message.title(fmt::format("Log of job {} · {}", job->number, core::plural(static_cast<long long>(lines->size()), "line", "lines")));
  if (lines->empty()) co_return answer;
  answer.message.preformatted(lines->back());
  answer.files.push_back(command::File{fmt::format("job-{}.txt", job->number), "text/plain", core::join(*lines, "\n") + "\n",
                                       fmt::format("job {}, {}", job->number, job->command)});
  co_return answer;
}

Answer told(std::string text) {
  Answer answer;
  answer.message.paragraph(std::move(text));
  return answer;
}

awaitable<core::Result<Answer>> cancel_job(Arguments arguments, Context& context) {
  auto said = co_await context.services.runner->cancel(*arguments.integer("number"));
  if (!said) co_return core::fail(said.error());
  co_return told(std::move(*said));
}

awaitable<core::Result<Answer>> pause_job(Arguments arguments, Context& context) {
  auto said = co_await context.services.runner->pause(*arguments.integer("number"));
  if (!said) co_return core::fail(said.error());
  co_return told(std::move(*said));
}

jobs::Item item_of(const db::ItemRow& row) {
  return {.kind = row.kind, .target = row.target, .label = row.label, .bytes = core::Bytes{row.bytes}, .rows = row.rows, .note = row.note};
}

// The plan of `job` once more, over the items in `states`. Each item is re-checked before its act, as in the first run.
awaitable<core::Result<jobs::Plan>> plan_over(db::JobRow job, std::vector<std::string> states, Context& context) {
  auto plan = jobs::decode_plan(job.plan);
  if (!plan) co_return core::fail(plan.error());
  const Command* original = context.services.table->find(plan->command);
  if (!original) co_return core::fail(core::Code::internal, "This program has no command " + plan->command);
  if (context.role < command::needed_role(original->spec, static_cast<Level>(plan->level)))
    co_return core::fail(core::Code::not_allowed, fmt::format("Job {} needs a higher role than yours", job.number));
  auto items = co_await context.stores().jobs.items(job.number, std::move(states), 1000000);
  if (!items) co_return core::fail(items.error());
  jobs::Plan again = std::move(*plan);
  again.bytes = core::Bytes{};
  again.rows = 0;
  again.kept.clear();
  for (const db::ItemRow& row : *items) {
    again.bytes += core::Bytes{row.bytes};
    again.rows += row.rows;
    again.items.push_back(item_of(row));
  }
  again.word.clear();
  again.title = fmt::format("Job {} once more: {} left", job.number, core::plural(static_cast<long long>(again.items.size()), "item is", "items are"));
  again.parameters["continues"] = std::to_string(job.number);
  co_return again;
}

awaitable<core::Result<jobs::Plan>> plan_resume(Arguments arguments, Context& context) {
  auto job = co_await find_job(*arguments.integer("number"), context);
  if (!job) co_return core::fail(job.error());
  // Left behind by a program that died; `run` takes such a job up by itself, a line from the terminal does not.
  const bool left_behind = job->state == "running" && context.services.runner->running() != job->number && job->started_ago >= std::chrono::seconds(1);
  if (left_behind) {
    const std::vector<std::string> from{"running"};
    auto moved = co_await context.stores().jobs.move(job->number, from, "stopped", "interrupted");
    if (!moved) co_return core::fail(moved.error());
    job->state = "stopped";
    job->reason = "interrupted";
  }
  if (job->state != "stopped")
    co_return core::fail(core::Code::conflict, fmt::format("Job {} is not stopped", job->number), "it is " + state_words(*job), "!retry works on what failed");
  const std::vector<std::string> open{"planned", "acting", "unknown"};
  auto plan = co_await plan_over(*job, open, context);
  if (!plan) co_return core::fail(plan.error());
  const bool short_stop = job->reason == "paused" && job->finished_ago < short_pause;
  if (short_stop) {
    plan->level = static_cast<int>(Level::reversible);
    plan->lines = {"It was paused less than ten minutes ago, so it goes on at once."};
  }
  co_return plan;
}

awaitable<core::Result<jobs::Plan>> plan_retry(Arguments arguments, Context& context) {
  auto job = co_await find_job(*arguments.integer("number"), context);
  if (!job) co_return core::fail(job.error());
  if (job->state != "failed" && job->state != "stopped")
    co_return core::fail(core::Code::conflict, fmt::format("Job {} has nothing to retry", job->number), "it is " + state_words(*job));
  const std::vector<std::string> open{"planned", "acting", "unknown", "failed"};
  co_return co_await plan_over(*job, open, context);
}

// Continued jobs run under their own command; these two never run anything themselves.
awaitable<core::Result<jobs::Receipt>> never(jobs::Plan, jobs::Progress&, Context&) {
  co_return core::fail(core::Code::internal, "A continued job runs under its own command");
}

awaitable<core::Result<Answer>> freeze_all(Arguments, Context& context) {
  // Stored first: a crash now must not thaw it.
  auto stored = co_await context.stores().settings.put("frozen", context.asker.str());
  auto frozen = co_await context.services.runner->freeze();
  if (!stored) co_return core::fail(stored.error());
  if (!frozen) co_return core::fail(frozen.error());
  Answer answer = told("❄️ Frozen: no job, schedule or confirmation goes on. !thaw, from the terminal or by two admins, ends it.");
  answer.rings = true;
  co_return answer;
}

awaitable<core::Result<jobs::Plan>> plan_thaw(Arguments, Context& context) {
  auto by = co_await context.stores().settings.get("frozen");
  if (!by) co_return core::fail(by.error());
  jobs::Plan plan;
  plan.command = "thaw";
  plan.level = static_cast<int>(Level::destroys);
  plan.second_admin = !context.terminal;
  if (!*by) {
    plan.title = "Nothing is frozen.";
    co_return plan;
  }
  plan.title = "Frozen by " + **by + ". Jobs, schedules and confirmations work again after this; stopped jobs wait for !resume.";
  plan.word = "thaw";
  plan.items.push_back(jobs::Item{.kind = "freeze", .target = "freeze", .label = "freeze", .bytes = {}, .rows = 0, .note = {}});
  co_return plan;
}

awaitable<core::Result<jobs::Receipt>> run_thaw(jobs::Plan, jobs::Progress&, Context& context) {
  auto erased = co_await context.stores().settings.erase("frozen");
  if (!erased) co_return core::fail(erased.error());
  context.services.runner->thaw();
  co_return jobs::Receipt{.title = "Thawed: jobs, schedules and confirmations work again.", .lines = {}, .complete = true};
}

Command with_number(std::string name, std::string summary, Level level) {
  Command command;
  command.spec.name = std::move(name);
  command.spec.group = Group::jobs;
  command.spec.summary = std::move(summary);
  command.spec.level = level;
  command.spec.role = level == Level::reads ? Role::reader : Role::operator_;
  command.spec.personal_data = true;
  command.spec.safe_while_running = "yes";
  command.spec.arguments = {positional("number", Type::integer, "the job's number")};
  command.spec.control = level != Level::reads;
  command.spec.examples = {{"" + command.spec.name + " 41", ""}};
  command.manual = manual("jobs");
  return command;
}

}  // namespace

Command jobs() {
  Command command;
  command.spec.name = "jobs";
  command.spec.alias = "j";
  command.spec.group = Group::jobs;
  command.spec.summary = "What runs and what ran lately";
  command.spec.safe_while_running = "yes";
  command.spec.arguments = {command::standard::limit()};
  command.spec.examples = {{"jobs", "the ten newest"}};
  command.manual = manual("jobs");
  command.answer = list_jobs;
  return command;
}

Command job() {
  Command command = with_number("job", "One job: its plan, its items, its receipt", Level::reads);
  command.answer = show_job;
  return command;
}

Command log() {
  Command command = with_number("log", "Every NOTICE line of a job, as a file", Level::reads);
  command.answer = show_log;
  return command;
}

Command cancel() {
  Command command = with_number("cancel", "Stop a job; what is done stays done", Level::reversible);
  command.spec.alias = "stop";
  command.answer = cancel_job;
  return command;
}

Command pause() {
  Command command = with_number("pause", "Hold a job after the step under way", Level::reversible);
  command.answer = pause_job;
  return command;
}

Command resume() {
  Command command = with_number("resume", "Go on with a stopped job; after ten minutes as a new plan", Level::reversible);
  command.spec.control = false;
  command.plan = plan_resume;
  command.run = never;
  return command;
}

Command retry() {
  Command command = with_number("retry", "Plan again what failed or was left", Level::reversible);
  command.spec.control = false;
  command.plan = plan_retry;
  command.run = never;
  return command;
}

Command yes() {
  Command command = with_number("yes", "Confirm a plan; “yes” as a reply and ✅ do the same", Level::reads);
  command.spec.arguments = {optional_positional("number", Type::integer, "the plan's number"),
                            optional_positional("word", Type::word, "what the plan says, for level 4")};
  command.spec.examples = {{"yes 41", ""}, {"yes 41 212", "a plan of level 4 with 212 rooms"}};
  command.answer = [](Arguments, Context&) -> awaitable<core::Result<Answer>> { co_return told("No plan waits for that."); };
  return command;
}

Command no() {
  Command command = with_number("no", "Decline a plan; “no” as a reply and ❌ do the same", Level::reads);
  command.spec.arguments = {optional_positional("number", Type::integer, "the plan's number")};
  command.answer = [](Arguments, Context&) -> awaitable<core::Result<Answer>> { co_return told("No plan waits for that."); };
  return command;
}

Command freeze() {
  Command command;
  command.spec.name = "freeze";
  command.spec.group = Group::general;
  command.spec.summary = "Stop jobs, schedules and confirmations at once";
  command.spec.level = Level::reversible;
  command.spec.role = Role::reader;
  command.spec.any_role = true;  // anybody who may command at all may stop everything
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.control = true;
  command.spec.examples = {{"freeze", ""}};
  command.manual = manual("jobs");
  command.answer = freeze_all;
  return command;
}

Command thaw() {
  Command command;
  command.spec.name = "thaw";
  command.spec.group = Group::general;
  command.spec.summary = "End a freeze: from the terminal, or with a second admin";
  command.spec.level = Level::destroys;
  command.spec.role = Role::admin;
  command.spec.safe_while_running = "yes";
  command.spec.control = true;
  command.spec.arguments = {command::standard::dry_run()};
  command.spec.examples = {{"thaw", ""}};
  command.manual = manual("jobs");
  command.plan = plan_thaw;
  command.run = run_thaw;
  return command;
}

}  // namespace steward::commands
