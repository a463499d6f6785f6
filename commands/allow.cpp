// allow and deny: who else may command the bot. Admins are not given here: they stand in the configuration.
// The roles live in the bot's own store; taking one away (or lowering it) needs a second admin, so that no single
// account can lock the others out. I/O thread; store, and one look at the user. The manual page is allow.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Role;
using command::Type;

namespace {

bool contains(const std::vector<core::UserId>& users, const core::UserId& user) {
  return std::find(users.begin(), users.end(), user) != users.end();
}

awaitable<core::Result<Role>> stored_role(core::UserId user, Context& context) {
  auto rows = co_await context.stores().settings.roles();
  if (!rows) co_return core::fail(rows.error());
  for (const db::RoleRow& row : *rows)
    if (row.user == user) co_return command::parse_role(row.role).value_or(Role::none);
  co_return Role::none;
}

core::Result<void> not_an_admin(const core::UserId& user, const Context& context) {
  if (!contains(context.options().admins, user)) return {};
  return core::fail(core::Code::not_allowed, user.str() + " is an admin of the bot",
                    "admins stand in the configuration, chat cannot change them",
                    "Change `room.admins` in steward.yaml and reload.");
}

// A role for somebody who does not exist, or can never use it, is a typing mistake.
awaitable<core::Result<void>> can_hold_role(core::UserId user, Context& context) {
  const bool local = core::server_of(user) == context.options().server_name;
  if (!local) {
    if (contains(context.options().remote_allowed, user)) co_return core::Result<void>();
    co_return core::fail(core::Code::not_allowed, user.str() + " is not a user of " + context.options().server_name,
                         "other servers cannot be trusted to say who is who",
                         "Add the user to `room.remote_allowed` in steward.yaml first.");
  }
  auto info = co_await context.admin().user(user);
  if (!info) co_return core::fail(info.error());
  if (!*info) co_return core::fail(core::Code::not_found, "There is no user " + user.str(), {}, "Check the name.");
  if ((*info)->deactivated) co_return core::fail(core::Code::conflict, user.str() + " is deactivated");
  if (!(*info)->appservice_id.empty())
    co_return core::fail(core::Code::conflict, user.str() + " belongs to an application service",
                         "a bot must not command a bot");
  co_return core::Result<void>();
}

jobs::Plan plan_for(const core::UserId& user, Role before, Role after) {
  jobs::Plan plan;
  plan.command = after == Role::none ? "deny" : "allow";
  plan.level = static_cast<int>(Level::slows);
  plan.title = fmt::format("{}: {} → {}", user.str(), name(before), name(after));
  if (before == after) {
    plan.title = after == Role::none ? fmt::format("{} has no role", user.str())
                                     : fmt::format("{} is {} already", user.str(), name(after));
    return plan;
  }
  if (after < before) {
    plan.level = static_cast<int>(Level::destroys);
    plan.level_reason = "it takes rights from somebody who holds a role";
    plan.second_admin = true;
    plan.word = std::string(core::localpart(user));
  }
  jobs::Item item;
  item.kind = "role";
  item.target = user.str();
  item.label = user.str();
  item.note = after == Role::none ? std::string() : std::string(name(after));
  plan.items.push_back(std::move(item));
  return plan;
}

std::string words_about(Role role) {
  if (role == Role::operator_) return "An operator sees everything and acts up to level 2.";
  return "A reader sees answers without personal data and may stop everything with !freeze.";
}

awaitable<core::Result<jobs::Plan>> plan_allow(Arguments arguments, Context& context) {
  const core::UserId user = *arguments.user("user");
  const Role role = *command::parse_role(arguments.text("role"));
  if (auto fine = not_an_admin(user, context); !fine) co_return core::fail(fine.error());
  auto can = co_await can_hold_role(user, context);
  if (!can) co_return core::fail(can.error());
  auto before = co_await stored_role(user, context);
  if (!before) co_return core::fail(before.error());
  jobs::Plan plan = plan_for(user, *before, role);
  plan.lines.push_back(words_about(role));
  const auto in_room = co_await context.services.in_room(user);
  if (in_room && !*in_room)
    plan.lines.push_back("Not in this room yet: the bot will send an invitation.");
  co_return plan;
}

awaitable<core::Result<jobs::Plan>> plan_deny(Arguments arguments, Context& context) {
  const core::UserId user = *arguments.user("user");
  if (auto fine = not_an_admin(user, context); !fine) co_return core::fail(fine.error());
  auto before = co_await stored_role(user, context);
  if (!before) co_return core::fail(before.error());
  co_return plan_for(user, *before, Role::none);
}

awaitable<jobs::ItemOutcome> set_role(db::ItemRow item, Context* context) {
  const core::UserId user(item.target);
  if (contains(context->options().admins, user))
    co_return outcome(jobs::ItemOutcome::State::kept, "is an admin by configuration now");
  auto set = co_await context->stores().settings.set_role(user, item.note, context->asker);
  if (!set) co_return outcome(jobs::ItemOutcome::State::failed, core::describe(set.error()));
  co_return outcome(jobs::ItemOutcome::State::done);
}

// The invitation is a courtesy: a role without it still counts once the person joins.
awaitable<std::string> invite(core::UserId user, Context& context) {
  const auto in_room = co_await context.services.in_room(user);
  if (in_room && *in_room) co_return std::string();
  const core::RoomId room = context.services.admin_room();
  if (room.empty()) co_return std::string("There is no admin room to invite to yet.");
  auto invited = co_await context.services.chat->invite(room, user, "given a role by an admin");
  if (!invited) co_return "Invite them yourself, the bot could not: " + core::describe(invited.error());
  co_return std::string("Invited to this room.");
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan, jobs::Progress& progress, Context& context) {
  Context* const here = &context;
  jobs::Progress::Act act = [here](db::ItemRow item) { return set_role(std::move(item), here); };
  // Setting a role twice is setting it once, so an act of an earlier life is simply done again.
  jobs::Progress::Act settle = act;
  auto totals = co_await progress.for_each_item("roles", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  const std::vector<std::string> states{"done", "kept", "failed"};
  auto items = co_await context.stores().jobs.items(progress.job(), states, 10);
  if (!items) co_return core::fail(items.error());
  jobs::Receipt receipt;
  receipt.complete = totals->failed == 0 && totals->planned == 0;
  for (const db::ItemRow& item : *items) {
    const core::UserId user(item.target);
    if (item.state != "done") {
      receipt.lines.push_back(fmt::format("{}: {} ({})", item.target, item.state, item.error));
      continue;
    }
    auto now = co_await stored_role(user, context);
    if (!now) co_return core::fail(now.error());
    receipt.lines.push_back(
        fmt::format("{} is {} now", item.target, *now == Role::none ? "without a role" : name(*now)));
    const bool given = *now != Role::none;
    if (!given) continue;
    std::string words = co_await invite(user, context);
    if (!words.empty()) receipt.lines.push_back(std::move(words));
  }
  receipt.title = receipt.complete ? "Done" : "Not done";
  if (!receipt.lines.empty() && receipt.complete) {
    receipt.title = receipt.lines.front();
    receipt.lines.erase(receipt.lines.begin());
  }
  co_return receipt;
}

Command base(std::string name, std::string summary) {
  Command command;
  command.spec.name = std::move(name);
  command.spec.group = command::Group::general;
  command.spec.summary = std::move(summary);
  command.spec.level = Level::slows;
  command.spec.role = Role::admin;
  command.spec.safe_while_running = "yes";
  command.spec.control = true;
  command.manual = manual("allow");
  command.run = run;
  return command;
}

}  // namespace

Command allow() {
  Command command = base("allow", "Give somebody the role reader or operator");
  auto role = command::positional("role", Type::choice, "reader or operator");
  role.choices = {"reader", "operator"};
  command.spec.arguments = {command::positional("user", Type::user, "who"), std::move(role),
                            command::standard::dry_run()};
  command.spec.examples = {{"allow @ann operator", ""}};
  command.plan = plan_allow;
  return command;
}

Command deny() {
  Command command = base("deny", "Take somebody's role away");
  command.spec.arguments = {command::positional("user", Type::user, "whose role"), command::standard::dry_run()};
  command.spec.examples = {{"deny @ann", ""}};
  command.plan = plan_deny;
  return command;
}

}  // namespace steward::commands
