// maintenance: a window. Users are told, Synapse is stopped by steward-host, one command works on its tables, Synapse is started again,
// whatever became of the command. The job is the command's own, with its items, so that it resumes like it. I/O thread.
// The manual page is maintenance_window.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "command/request.hpp"
#include "command/resolve.hpp"
#include "commands/all.hpp"
#include "commands/host_actions.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Type;

namespace {

constexpr auto notice_reach = std::chrono::hours(24 * 7);
constexpr auto look_every = std::chrono::milliseconds(500);
constexpr const char* inner_command = "window_command";
constexpr const char* with_notice = "window_notice";

// The plan of the command itself, as it will work with Synapse stopped.
awaitable<core::Result<jobs::Plan>> inner_plan(std::string line, Context& context) {
  auto request = command::read_scheduled(line, context.services);
  if (!request) co_return core::fail(core::Code::bad_input, "The window's command is none", request.error().why.empty() ? request.error().what : request.error().why, request.error().next);
  const command::Spec& spec = *request->parsed.spec;
  if (!request->changing || !request->command->plan)
    co_return core::fail(core::Code::bad_input, fmt::format("!{} changes nothing like this", spec.name), "it needs no window", "!maintenance --dry-run <command> shows what a window would do");
  if (spec.group == command::Group::server) co_return core::fail(core::Code::bad_input, fmt::format("!{} is no command for a window", spec.name));
  auto may = command::allowed(spec, request->parsed.level, false, context);
  if (!may) co_return core::fail(may.error());
  Context inside = context;
  inside.window = true;
  inside.line = request->parsed.line;
  auto arguments = co_await command::resolve(request->parsed.arguments, spec, inside);
  if (!arguments) co_return core::fail(arguments.error());
  auto plan = co_await request->command->plan(std::move(*arguments), inside);
  if (plan && plan->needs_synapse && spec.sources != "S")
    co_return core::fail(core::Code::bad_input, fmt::format("!{} asks Synapse for its work", spec.name), "it cannot run while Synapse is stopped",
                         spec.name == "clean-rooms" ? "!maintenance clean-rooms --method offline" : "run it without a window");
  co_return plan;
}

awaitable<core::Result<jobs::Plan>> make_plan(Arguments arguments, Context& context) {
  auto state = co_await host_state(context);
  if (!state) co_return core::fail(state.error());
  if (auto may = can_stop_for(*state, host::Verb::stop); !may) co_return core::fail(may.error());
  auto plan = co_await inner_plan(arguments.text("command"), context);
  if (!plan) co_return core::fail(plan.error());
  plan->parameters[inner_command] = plan->command;
  plan->parameters[with_notice] = arguments.flag("no-notice") ? "no" : "yes";
  plan->command = "maintenance";
  plan->level = static_cast<int>(arguments.flag("dry-run") ? Level::reads : Level::destroys);
  plan->needs_synapse = false;
  plan->title = "In a window with Synapse stopped: " + plan->title;
  const auto longest = std::chrono::seconds(std::strtoll(state->value("window").c_str(), nullptr, 10));
  plan->lines.insert(plan->lines.begin(), fmt::format("Window: {}stop Synapse, work, start it; after {} steward-host starts it whatever happens",
                                                     arguments.flag("no-notice") ? "" : "tell the people of the last 7 days, ", core::format_duration(longest)));
  if (plan->word.empty() && !plan->items.empty()) plan->word = std::to_string(plan->items.size());
  co_return plan;
}

// "Told: 12 people", or why nobody was.
awaitable<std::string> tell_people(jobs::Progress& progress, Context& context) {
  if (!context.services.read) co_return "Told: nobody, there is no connection to Synapse's database";
  db::Arguments query;
  query.emplace_back("seconds", db::bind(std::chrono::seconds(notice_reach).count()));
  auto rows = co_await context.services.read->query(db::sql::notice_receivers, std::move(query));
  if (!rows) co_return "Told: nobody, " + core::describe(rows.error());
  long long told = 0;
  for (const db::Row& row : *rows) {
    if (progress.stopping()) break;
    std::string transaction = fmt::format("steward-window-{}-{}", progress.job(), told);
    auto sent = co_await context.admin().send_server_notice(core::UserId(row.text("user_id")),
                                                            "This server is stopped for maintenance in a moment and comes back by itself.", std::move(transaction));
    if (sent) ++told;
    else if (told == 0) co_return "Told: nobody, server notices do not work (`server_notices` in homeserver.yaml): " + sent.error().what;
  }
  co_return "Told: " + core::plural(told, "person", "people");
}

// An answer of steward-host's, its lines as NOTICEs.
awaitable<core::Result<std::string>> ask(host::Verb verb, jobs::Progress& progress, Context& context) {
  host::Client::OnLine on_line = [&progress](std::string line) { return progress.notice(core::clean_name(line, 300)); };
  host::Request request{.verb = verb};
  auto reply = co_await context.services.host->ask(std::move(request), std::move(on_line));
  if (!reply) co_return core::fail(reply.error());
  std::string text = core::clean_name(reply->ending.text, 300);
  if (reply->ending.kind != host::Ending::Kind::done) co_return core::fail(core::Code::rejected, fmt::format("steward-host did not {} Synapse", host::name(verb)), std::move(text));
  co_return text;
}

// Once nothing is under way.
awaitable<core::Result<host::Reply>> idle_host(jobs::Progress& progress, Context& context) {
  for (;;) {
    auto state = co_await host_state(context);
    if (!state || state->value("working").empty()) co_return state;
    const bool going_on = co_await progress.wait(look_every);
    if (!going_on) co_return core::fail(core::Code::cancelled, "Stopped while steward-host was at work");
  }
}

// A job that goes on after the bot died opens another one: the bot's start ended the first, or is about to.
awaitable<core::Result<void>> open_window(bool notice, std::vector<std::string>& lines, jobs::Progress& progress, Context& context) {
  auto state = co_await idle_host(progress, context);
  if (!state) co_return core::fail(state.error());
  if (auto may = can_stop_for(*state, host::Verb::stop); !may) co_return core::fail(may.error());
  if (notice) lines.push_back(co_await tell_people(progress, context));
  if (progress.stopping()) co_return core::fail(core::Code::cancelled, "Stopped before Synapse was");
  progress.header("stopping Synapse");
  co_await until_told(progress, context);
  auto stopped = co_await ask(host::Verb::stop, progress, context);
  if (!stopped) co_return core::fail(stopped.error());
  co_return core::Result<void>();
}

awaitable<core::Result<jobs::Receipt>> work(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  const Command* inner = context.services.table->find(plan.parameters[inner_command]);
  if (!inner || !inner->run) co_return core::fail(core::Code::internal, "This program has no command " + plan.parameters[inner_command]);
  plan.command = inner->spec.name;
  co_return co_await inner->run(std::move(plan), progress, context);
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::string> lines;
  const bool notice = plan.parameters[with_notice] == "yes";
  auto opened = co_await open_window(notice, lines, progress, context);
  if (!opened && opened.error().code != core::Code::rejected) co_return core::fail(opened.error());
  core::Result<jobs::Receipt> receipt = core::fail(opened ? core::Error{} : opened.error());
  if (opened) receipt = co_await work(std::move(plan), progress, context);
  // Always: also what failed to stop may be half stopped.
  auto started = co_await ask(host::Verb::start, progress, context);
  if (!receipt) {
    lines.insert(lines.begin(), "Why: " + core::describe(receipt.error()));
    receipt = jobs::Receipt{.title = opened ? "The command failed" : "Synapse was not stopped, nothing was done", .lines = {}, .complete = false};
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  lines.push_back(fmt::format("Window: {}; {}", core::format_duration(took), started ? *started : core::describe(started.error())));
  lines.push_back(co_await synapse_line(context));
  receipt->lines.insert(receipt->lines.end(), lines.begin(), lines.end());
  receipt->complete = receipt->complete && started.has_value();
  co_return receipt;
}

}  // namespace

Command maintenance() {
  Command command;
  command.spec.name = "maintenance";
  command.spec.group = command::Group::server;
  command.spec.summary = "Stop Synapse, run a command on its tables, start it again";
  command.spec.level = Level::destroys;
  command.spec.safe_while_running = "it stops it for the time of the command";
  command.spec.sources = "H A S";
  command.spec.arguments = {command::positional("command", Type::command, "what runs while Synapse is stopped, with its flags"),
                            command::flag("no-notice", "do not tell the users"), command::standard::dry_run()};
  command.spec.examples = {{"maintenance clean-rooms --method offline", "unused rooms, set-wise"}, {"maintenance --no-notice vacuum-full", ""}};
  command.manual = manual("maintenance_window");
  command.plan = make_plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
