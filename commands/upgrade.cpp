// upgrade: another release of Synapse, built and switched to by steward-host, which also goes back. Here is what is looked at before and
// how it is told. I/O thread. The manual page is upgrade.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/host_actions.hpp"
#include "commands/releases.hpp"
#include "commands/upgrade_checks.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Type;

namespace {

core::Result<synapse::Version> target_of(const Arguments& arguments) {
  if (!arguments.has("version")) return newest_release();
  const std::string text = arguments.text("version");
  const auto version = synapse::parse_version(text);
  if (!host::is_version(text) || !version) return core::fail(core::Code::bad_input, core::echo_word(text) + " is no release", "expected numbers with dots", "!upgrade 1.163.2");
  return *version;
}

awaitable<core::Result<Answer>> check(Arguments arguments, Context& context) {
  auto target = target_of(arguments);
  if (!target) co_return core::fail(target.error());
  auto state = co_await host_state(context);
  if (!state) co_return core::fail(state.error());
  if (auto may = can_stop_for(*state, host::Verb::upgrade); !may && may.error().code == core::Code::not_found) co_return core::fail(may.error());
  const Checks checks = co_await check_upgrade(*target, *state, context);
  co_return checks.answer("Upgrade to " + target->text);
}

awaitable<core::Result<jobs::Plan>> make_plan(Arguments arguments, Context& context) {
  auto target = target_of(arguments);
  if (!target) co_return core::fail(target.error());
  auto state = co_await host_state(context);
  if (!state) co_return core::fail(state.error());
  if (auto may = can_stop_for(*state, host::Verb::upgrade); !may) co_return core::fail(may.error());
  const Checks checks = co_await check_upgrade(*target, *state, context);
  if (const auto wrong = checks.lines(/*only_bad=*/true); !wrong.empty())
    co_return core::fail(core::Code::conflict, "Synapse is not upgraded to " + target->text, core::join(wrong, "; "), "!upgrade --check " + target->text + " shows all of it");
  jobs::Plan plan;
  plan.command = "upgrade";
  plan.level = static_cast<int>(arguments.flag("dry-run") ? Level::reads : Level::destroys);
  plan.title = fmt::format("Synapse {} becomes {}", core::clean_name(state->value("installed")), target->text);
  plan.lines = checks.lines(/*only_bad=*/false);
  plan.lines.emplace_back("How: a second environment is built while Synapse runs; then it is stopped, the link switched, started, and asked for its version. "
                          "If it does not come up, back to the old one.");
  plan.word = target->text;
  plan.needs_synapse = false;
  plan.changes_data = false;
  plan.parameters["version"] = target->text;
  host::Request request{.verb = host::Verb::upgrade, .version = target->text};
  plan.items.push_back(host_item(request));
  co_return plan;
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  const std::string version = plan.parameters["version"];
  if (!host::is_version(version)) co_return core::fail(core::Code::internal, "The plan does not say which version");
  host::Request request{.verb = host::Verb::upgrade, .version = version};
  auto receipt = co_await run_on_host(std::move(request), progress, context);
  if (!receipt || !receipt->complete) co_return receipt;
  auto running = co_await context.admin().server_version();
  const auto wanted = synapse::parse_version(version);
  receipt->complete = running && wanted && *running == *wanted;
  receipt->lines.push_back(receipt->complete ? "Verified: the API says " + release(*running) : "Verified: not; the API does not say " + version);
  co_return receipt;
}

}  // namespace

Command upgrade() {
  Command command;
  command.spec.name = "upgrade";
  command.spec.group = command::Group::server;
  command.spec.summary = "Another release of Synapse, with a way back";
  command.spec.level = Level::destroys;
  command.spec.safe_while_running = "it stops it for the switch and the migration of its database";
  command.spec.sources = "H A S";
  command.spec.arguments = {command::optional_positional("version", Type::word, "the release; the newest this bot knows if not said"),
                            command::flag("check", "only look: what is needed, what changes, the way back", Level::reads), command::standard::dry_run()};
  command.spec.examples = {{"upgrade --check", "what stands in the way of the newest release"}, {"upgrade 1.163.2", ""}};
  command.manual = manual("upgrade");
  command.answer = check;
  command.plan = make_plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
