// restart: Synapse stopped and started by steward-host, and what it says of itself afterwards. I/O thread. The manual page is restart.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/host_actions.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;

namespace {

awaitable<core::Result<jobs::Plan>> make_plan(Arguments arguments, Context& context) {
  auto state = co_await host_state(context);
  if (!state) co_return core::fail(state.error());
  if (auto may = can_stop_for(*state, host::Verb::restart); !may) co_return core::fail(may.error());
  jobs::Plan plan;
  plan.command = "restart";
  plan.level = static_cast<int>(arguments.flag("dry-run") ? Level::reads : Level::destroys);
  plan.title = "Synapse is stopped and started again";
  plan.lines.push_back(co_await synapse_line(context));
  plan.lines.emplace_back("Meanwhile nobody can send or read, usually for less than a minute; what the bot says then waits.");
  plan.word = "restart";
  plan.needs_synapse = false;
  plan.changes_data = false;
  host::Request request{.verb = host::Verb::restart};
  plan.items.push_back(host_item(request));
  co_return plan;
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan, jobs::Progress& progress, Context& context) {
  host::Request request{.verb = host::Verb::restart};
  co_return co_await run_on_host(std::move(request), progress, context);
}

}  // namespace

Command restart() {
  Command command;
  command.spec.name = "restart";
  command.spec.group = command::Group::server;
  command.spec.summary = "Stop and start Synapse";
  command.spec.level = Level::destroys;
  command.spec.safe_while_running = "it stops it for a moment";
  command.spec.sources = "H A";
  command.spec.arguments = {command::standard::dry_run()};
  command.spec.examples = {{"restart", "after a change of homeserver.yaml"}};
  command.manual = manual("restart");
  command.plan = make_plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
