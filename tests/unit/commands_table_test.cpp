// Walks the real table of commands: each has its page, its examples parse, its help fits a phone, names are unique.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "command/context.hpp"
#include "command/finding.hpp"
#include "command/help.hpp"
#include "command/parser.hpp"
#include "commands/all.hpp"
#include "core/text.hpp"

namespace steward::commands {
namespace {

using command::Argument;
using command::Command;
using command::Level;
using command::Role;
using command::Spec;
using ::testing::HasSubstr;

const command::Table& table() {
  static const command::Table all(all_commands());
  return all;
}

std::string without_mark(const std::string& line) { return line.starts_with('!') ? line.substr(1) : line; }

command::Outcome parse(const std::string& line) {
  command::Typed typed;
  typed.line = without_mark(line);
  return command::parse(typed, table().specs(), "hs.test", "UTC");
}

TEST(Table, EveryCommandIsComplete) {
  for (const Command& each : table().commands()) {
    const Spec& spec = each.spec;
    EXPECT_FALSE(each.manual.empty()) << spec.name << " has no manual page";
    EXPECT_FALSE(spec.summary.empty()) << spec.name;
    EXPECT_LE(core::display_width(spec.summary), 80U) << spec.name;
    EXPECT_FALSE(spec.safe_while_running.empty()) << spec.name;
    EXPECT_TRUE(each.answer || (each.plan && each.run)) << spec.name << " does nothing";
    EXPECT_EQ(static_cast<bool>(each.plan), static_cast<bool>(each.run)) << spec.name;
    EXPECT_FALSE(spec.examples.empty()) << spec.name << " has no example";
    for (const command::Example& example : spec.examples) EXPECT_FALSE(example.line.starts_with('!')) << "the help adds it: " << example.line;
  }
}

TEST(Table, ACommandThatThrowsFailsAlone) {
  Command broken;
  broken.spec.name = "broken";
  broken.answer = [](command::Arguments, command::Context&) -> boost::asio::awaitable<core::Result<command::Answer>> {
    throw std::logic_error("the bug");
    co_return command::Answer{};
  };
  std::vector<Command> commands;
  commands.push_back(std::move(broken));
  const command::Table guarded(std::move(commands));
  boost::asio::io_context io;
  command::Services services;
  command::Context context{.services = services, .asker = {}, .command_event = {}, .replied_to = {}, .line = {}};
  auto answering = guarded.find("broken")->answer({}, context);
  auto answer = boost::asio::co_spawn(io, std::move(answering), boost::asio::use_future);
  io.run();
  const auto failed = answer.get();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, core::Code::internal);
  EXPECT_THAT(failed.error().what, HasSubstr("!broken"));
  EXPECT_THAT(core::describe(failed.error()), ::testing::Not(HasSubstr("the bug"))) << "details belong in the log";
}

TEST(Table, NamesAndAliasesAreUnique) {
  std::set<std::string> seen;
  for (const Spec* spec : table().specs()) {
    EXPECT_TRUE(seen.insert(spec->name).second) << spec->name;
    if (!spec->alias.empty()) {
      EXPECT_TRUE(seen.insert(spec->alias).second) << spec->alias;
    }
    EXPECT_EQ(spec->name, core::to_lower_ascii(spec->name));
    std::set<std::string> arguments;
    for (const Argument& argument : spec->arguments)
      EXPECT_TRUE(arguments.insert(argument.name).second) << spec->name << " " << argument.name;
  }
}

TEST(Table, ExamplesParseAsTheirCommand) {
  for (const Spec* spec : table().specs()) {
    for (const command::Example& example : spec->examples) {
      const auto outcome = parse(example.line);
      const auto* parsed = std::get_if<command::Parsed>(&outcome);
      ASSERT_NE(parsed, nullptr) << example.line << ": "
                                 << (std::holds_alternative<core::Error>(outcome)
                                         ? core::describe(std::get<core::Error>(outcome))
                                         : "unknown");
      EXPECT_EQ(parsed->spec, spec) << example.line;
    }
  }
}

TEST(Table, DefaultsAreValidValues) {
  for (const Spec* spec : table().specs()) {
    for (const Argument& argument : spec->arguments) {
      if (argument.default_text.empty()) continue;
      ASSERT_NE(argument.kind, Argument::Kind::flag) << spec->name << " --" << argument.name;
      if (argument.kind == Argument::Kind::positional) continue;
      // Only that option: what else is missing does not matter here.
      const auto outcome = parse(spec->name + " --" + argument.name + " " + command::quote(argument.default_text));
      const auto* error = std::get_if<core::Error>(&outcome);
      EXPECT_TRUE(error == nullptr || error->what.find("is missing") != std::string::npos)
          << spec->name << " --" << argument.name << ": " << core::describe(*error);
    }
  }
}

TEST(Table, WhatCanDestroyHasADryRun) {
  for (const Spec* spec : table().specs()) {
    if (command::highest_level(*spec) < Level::slows) continue;
    EXPECT_NE(command::find_argument(*spec, "dry-run"), nullptr) << spec->name;
  }
}

TEST(Table, RolesFollowLevels) {
  for (const Spec* spec : table().specs()) {
    if (spec->any_role) continue;
    EXPECT_GE(command::needed_role(*spec, Level::deletes), Role::admin) << spec->name;
    EXPECT_GE(command::needed_role(*spec, Level::slows), Role::operator_) << spec->name;
    if (spec->personal_data) {
      EXPECT_GE(command::needed_role(*spec, Level::reads), Role::operator_) << spec->name;
    }
  }
  const Spec* freeze = &table().find("freeze")->spec;
  EXPECT_EQ(command::needed_role(*freeze, freeze->level), Role::reader) << "any role may stop everything";
}

// Lines of a phone with 40 columns.
int phone_lines(const matrix::Message& message) {
  int lines = 0;
  for (const std::string& line : core::split(message.plain_body(), '\n'))
    lines += 1 + static_cast<int>((std::max<std::size_t>(core::display_width(line), 1) - 1) / 40);
  return lines;
}

TEST(Table, HelpFitsAScreen) {
  for (const Role role : {Role::reader, Role::operator_, Role::admin}) {
    const matrix::Message overview = command::overview(table().specs(), role);
    EXPECT_LE(phone_lines(overview), command::most_lines) << overview.plain_body();
    EXPECT_THAT(overview.plain_body(), HasSubstr("!help"));
  }
  for (const Command& each : table().commands()) {
    const matrix::Message help = command::command_help(each.spec, each.manual);
    EXPECT_LE(help.line_count(), command::most_lines) << help.plain_body();
    EXPECT_THAT(help.plain_body(), HasSubstr(command::usage(each.spec))) << each.spec.name;
    EXPECT_THAT(help.plain_body(), HasSubstr("Safe while Synapse runs"));
  }
  for (const auto group : {command::Group::general, command::Group::jobs, command::Group::media, command::Group::rooms})
    EXPECT_LE(command::group_help(group, table().specs()).line_count(), command::most_lines);
}

TEST(Table, ListItemsOfAManualStandOnTheirOwnLines) {
  Spec spec;
  spec.name = "some";
  const matrix::Message help = command::command_help(spec, "# some\n\n**Two** ways:\n\n- `one`, which\n  goes on\n- `other`\n\nThe end.\n");
  EXPECT_THAT(help.plain_body(), HasSubstr("Two ways:\n• one, which goes on\n• other\nThe end.\n"));
}

TEST(Table, OverviewFitsAlsoWithEveryGroupFull) {
  std::vector<Spec> many;
  for (const auto group : {command::Group::general, command::Group::jobs, command::Group::media, command::Group::rooms,
                           command::Group::users, command::Group::abuse, command::Group::database,
                           command::Group::server, command::Group::schedules})
    for (int index = 0; index < 30; ++index) {
      Spec spec;
      spec.name = "some-longer-name-" + std::to_string(index);
      spec.group = group;
      spec.summary = "x";
      many.push_back(spec);
    }
  std::vector<const Spec*> specs;
  for (const Spec& spec : many) specs.push_back(&spec);
  EXPECT_LE(phone_lines(command::overview(specs, Role::admin)), command::most_lines)
      << command::overview(specs, Role::admin).plain_body();
  EXPECT_LE(command::group_help(command::Group::users, specs).line_count(), command::most_lines);
}

TEST(Table, JsonHasTheFieldsOfTheContract) {
  const auto json = nlohmann::json::parse(command::commands_json(table().specs()));
  ASSERT_EQ(json.size(), table().specs().size());
  const std::set<std::string> expected{
      "name", "aliases", "group", "level", "arguments", "flags", "sources", "safe_while_running", "summary"};
  for (const auto& one : json) {
    std::set<std::string> keys;
    for (const auto& [key, value] : one.items()) keys.insert(key);
    EXPECT_EQ(keys, expected) << one["name"];
  }
  const std::string reference = command::reference_markdown(table().specs());
  for (const Spec* spec : table().specs()) EXPECT_THAT(reference, HasSubstr("`!" + spec->name));
}

}  // namespace
}  // namespace steward::commands
