#include "commands/dry_run.hpp"

#include <algorithm>

#include "command/resolve.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Context;
using command::Level;

awaitable<core::Result<jobs::Plan>> dry_run(const command::Request& request, Context& context) {
  jobs::Plan plan;
  plan.level = static_cast<int>(request.dry_run ? Level::reads : request.parsed.level);
  if (!request.changing) {
    plan.title = "It reads and changes nothing";
    co_return plan;
  }
  auto arguments = co_await command::resolve(request.parsed.arguments, *request.parsed.spec, context);
  if (!arguments) co_return core::fail(arguments.error());
  auto made = co_await request.command->plan(std::move(*arguments), context);
  // A command says its level in the plan; without anything to do now, the line's level holds.
  if (made) made->level = std::max(made->level, plan.level);
  co_return made;
}

}  // namespace steward::commands
