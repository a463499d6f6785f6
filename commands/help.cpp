// help: what the bot understands, from the same table that parses it.
// I/O thread; no I/O. The manual page is help.md.
#include "command/help.hpp"

#include <fmt/format.h>

#include "command/context.hpp"
#include "command/finding.hpp"
#include "commands/all.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Group;
using command::Spec;

namespace {

std::string without_mark(std::string topic) {
  if (topic.starts_with('!')) topic.erase(0, 1);
  return topic;
}

core::Result<Answer> about_command(const Spec& spec, const command::Table& table) {
  Answer answer;
  const Command* command = table.find(spec.name);
  answer.message = command::command_help(spec, command->manual);
  answer.json = command::commands_json({&spec});
  return answer;
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  const command::Table& table = *context.services.table;
  const std::string topic = without_mark(arguments.text("topic"));
  if (topic.empty()) {
    Answer answer;
    answer.message = command::overview(table.specs(), context.role);
    answer.json = command::commands_json(table.specs());
    co_return answer;
  }
  const auto names = command::first_names(topic);
  const auto group = command::parse_group(topic);
  const command::Match exact = command::find_exact(names, table.specs());
  // "jobs" is a group and a command: the group shows both.
  if (group) {
    Answer answer;
    answer.message = command::group_help(*group, table.specs());
    std::vector<const Spec*> members;
    for (const Spec* spec : table.specs())
      if (spec->group == *group) members.push_back(spec);
    answer.json = command::commands_json(members);
    if (exact.spec == nullptr || exact.spec->group == *group) co_return answer;
  }
  const command::Match match = command::find_command(names, table.specs());
  if (match.spec != nullptr) co_return about_command(*match.spec, table);
  const auto near = command::nearest_names(names, table.specs());
  co_return core::fail(
      core::Code::not_found, core::echo_word(topic) + " is no command and no group", {},
      near.empty() ? "`!help` lists them." : fmt::format("Did you mean `!help {}`?", core::join(near, "` or `!help ")));
}

}  // namespace

Command help() {
  Command command;
  command.spec.name = "help";
  command.spec.alias = "h";
  command.spec.group = Group::general;
  command.spec.summary = "What the bot understands";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.arguments = {command::optional_positional("topic", command::Type::text, "a command or a group")};
  command.spec.examples = {{"help", "one screen"}, {"help clean-rooms", ""}, {"help media", "a group"}};
  command.manual = manual("help");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
