// Users: one account, its admin flag, and how many there are.
#include <nlohmann/json.hpp>

#include "synapse/admin_call.hpp"

namespace steward::synapse {

using boost::asio::awaitable;
using core::Result;
using nlohmann::json;

awaitable<Result<std::optional<UserInfo>>> AdminClient::user(core::UserId user) {
  const std::string doing = "look at the user " + user.str();
  http::Call call = get(doing, {"v2", "users", user.str()}).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer && is_absent(answer.error())) co_return std::optional<UserInfo>();
  if (!answer) co_return std::unexpected(answer.error());
  auto id = core::parse_user_id(text_field(*answer, "name"));
  // Rights hang on this answer: one about somebody else, or about nobody, is none.
  if (!id || *id != user) co_return misunderstood(doing, "the answer is about another user");
  UserInfo info;
  info.user = std::move(*id);
  info.display_name = text_field(*answer, "displayname");
  info.admin = flag_field(*answer, "admin");
  info.deactivated = flag_field(*answer, "deactivated");
  info.locked = flag_field(*answer, "locked");
  info.suspended = flag_field(*answer, "suspended");
  info.guest = flag_field(*answer, "is_guest");
  info.shadow_banned = flag_field(*answer, "shadow_banned");
  info.appservice_id = text_field(*answer, "appservice_id");
  co_return std::optional<UserInfo>(std::move(info));
}

awaitable<Result<void>> AdminClient::set_admin(core::UserId user, bool admin) {
  const std::string doing = (admin ? "make an admin of " : "take the admin right from ") + user.str();
  json body = json::object();
  body["admin"] = admin;
  http::Call call = Ask(doing, "PUT", {"v1", "users", user.str(), "admin"}).body(body.dump()).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

awaitable<Result<std::int64_t>> AdminClient::user_count() {
  // guests=false: anything else is refused under the Matrix Authentication Service.
  http::Call call = get("count the users", {"v2", "users"}).query("limit", "1").query("guests", "false").call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  const auto total = number_field(*answer, "total");
  if (!total) co_return misunderstood("count the users", "the answer has no total");
  co_return *total;
}

}  // namespace steward::synapse
