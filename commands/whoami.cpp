// whoami: who the asker is to the bot, and what that allows.
// I/O thread; no I/O. The manual page is whoami.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Role;
using command::Spec;

namespace {

// The highest level of the commands this role may run here.
int highest_level(const Context& context) {
  int highest = 0;
  for (const Spec* spec : context.services.table->specs()) {
    const int level = static_cast<int>(spec->level);
    if (command::needed_role(*spec, spec->level) <= context.role && !spec->any_role) highest = std::max(highest, level);
  }
  return context.terminal ? highest : std::min(highest, context.options().max_level);
}

std::string source_of_role(const Context& context) {
  if (context.terminal) return "from the terminal";
  const auto& admins = context.options().admins;
  return std::find(admins.begin(), admins.end(), context.asker) != admins.end() ? "from the configuration"
                                                                                : "given with !allow";
}

awaitable<core::Result<Answer>> tell(Arguments, Context& context) {
  Answer answer;
  const int highest = highest_level(context);
  const auto allowed = std::count_if(
      context.services.table->specs().begin(), context.services.table->specs().end(),
      [&](const Spec* spec) { return command::needed_role(*spec, command::lowest_level(*spec)) <= context.role; });
  answer.message.title(fmt::format("{} · {}", context.asker.str(), name(context.role)));
  answer.message.paragraph(matrix::field("Role", fmt::format("{}, {}", name(context.role), source_of_role(context))));
  answer.message.paragraph(matrix::field("You may use", core::plural(allowed, "command", "commands")));
  answer.message.paragraph(
      matrix::field("Up to level", fmt::format("{} ({})", highest, command::word(static_cast<Level>(highest)))));
  if (!context.terminal && context.options().max_level < 4)
    answer.message.paragraph(
        fmt::format("This room is capped at level {} by `safety.max_level`.", context.options().max_level));
  if (context.role == Role::reader) answer.message.paragraph("A reader sees answers without personal data only.");
  if (context.role == Role::admin && context.options().second_admin)
    answer.message.paragraph("A plan of level 4 needs another admin than the one who asked.");
  co_return answer;
}

}  // namespace

Command whoami() {
  Command command;
  command.spec.name = "whoami";
  command.spec.group = command::Group::general;
  command.spec.summary = "Your role and what it allows";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.examples = {{"whoami", ""}};
  command.manual = manual("whoami");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
