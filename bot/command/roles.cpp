#include "command/roles.hpp"

#include <algorithm>

#include "core/ids.hpp"

namespace steward::command {

using boost::asio::awaitable;

namespace {

core::Error refusal(std::string why, std::string next) {
  return {core::Code::not_allowed, "You may not command here", std::move(why), std::move(next), {}};
}

bool contains(const std::vector<core::UserId>& users, const core::UserId& user) {
  return std::find(users.begin(), users.end(), user) != users.end();
}

awaitable<core::Result<Role>> stored_role(core::UserId user, Services& services) {
  if (contains(services.options->admins, user)) co_return Role::admin;
  auto rows = co_await services.stores->settings.roles();
  if (!rows) co_return core::fail(rows.error());
  for (const db::RoleRow& row : *rows) {
    const auto role = parse_role(row.role);
    // Chat gives reader or operator only; anything higher in the store was not written by us.
    if (row.user == user && role && *role <= Role::operator_) co_return *role;
  }
  co_return core::fail(refusal("no role is given to you", "an admin can give one: !allow " + user.str() + " reader"));
}

}  // namespace

awaitable<core::Result<Role>> role_of(core::UserId user, Services& services) {
  const Options& options = *services.options;
  if (core::server_of(user) != options.server_name && !contains(options.remote_allowed, user))
    co_return core::fail(refusal("you are not a user of " + options.server_name, "use an account of this server"));
  const auto in_room = co_await services.in_room(user);
  if (!in_room) co_return core::fail(in_room.error());
  if (!*in_room)
    co_return core::fail(refusal("you are not joined to the admin room", "join it first"));
  auto role = co_await stored_role(user, services);
  if (!role) co_return core::fail(role.error());
  if (core::server_of(user) != options.server_name) co_return *role;

  auto info = co_await services.admin->user(user);
  if (!info) co_return core::fail(info.error());
  if (!*info) co_return core::fail(refusal("Synapse does not know your account", "ask another admin"));
  const synapse::UserInfo& account = **info;
  if (account.deactivated) co_return core::fail(refusal("your account is deactivated", "ask another admin"));
  if (account.locked) co_return core::fail(refusal("your account is locked", "ask another admin"));
  if (account.suspended) co_return core::fail(refusal("your account is suspended", "ask another admin"));
  if (!account.appservice_id.empty())
    co_return core::fail(refusal("your account belongs to an application service", "use a person's account"));
  co_return *role;
}

}  // namespace steward::command
