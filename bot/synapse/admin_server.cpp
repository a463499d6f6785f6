// The server itself: version, rights, health, background updates, federation.
#include <nlohmann/json.hpp>

#include "synapse/admin_call.hpp"

namespace steward::synapse {

using boost::asio::awaitable;
using core::Result;
using nlohmann::json;

namespace {

constexpr std::int64_t destinations_per_page = 500;

// How many of the list's first entries are failing.
std::int64_t leading_failures(const json& destinations) {
  std::int64_t count = 0;
  for (const json& destination : destinations) {
    if (!number_field(destination, "failure_ts")) break;
    ++count;
  }
  return count;
}

}  // namespace

AdminClient::AdminClient(http::Transport& transport, http::Transport& media_transport, AdminOptions options)
    : transport_(transport), media_transport_(media_transport), options_(std::move(options)) {}

awaitable<Result<Version>> AdminClient::server_version() {
  const std::string doing = "ask for Synapse's version";
  http::Call call = get(doing, {"v1", "server_version"}).without_token().call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  auto version = parse_version(text_field(*answer, "server_version"));
  if (!version) co_return misunderstood(doing, "the answer has no version");
  co_return *version;
}

awaitable<Result<bool>> AdminClient::uses_mas() {
  http::Call call = get("ask who keeps the accounts", {"v1", "register"}).without_token().call(options_);
  const auto answer = co_await send(transport_, std::move(call), options_);
  if (answer) co_return false;
  // M_UNRECOGNIZED, not any 404: a proxy that hides the admin API must not look like MAS.
  if (answer.error().source == "M_UNRECOGNIZED" && answer.error().code == core::Code::not_found) co_return true;
  co_return std::unexpected(answer.error());
}

awaitable<Result<void>> AdminClient::check_rights() {
  http::Call call = get("use the admin API", {"v1", "rooms"}).query("limit", "1").call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

awaitable<Result<bool>> AdminClient::health() {
  http::Call call = get("reach Synapse", {"health"})
                        .outside_admin_path()
                        .without_token()
                        .tries(1)
                        .within(std::chrono::seconds(10))
                        .call(options_);
  const auto answer = co_await send(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  co_return true;
}

awaitable<Result<AdminClient::BackgroundUpdates>> AdminClient::background_updates() {
  http::Call call = get("ask for the background updates", {"v1", "background_updates", "status"}).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  BackgroundUpdates updates;
  updates.enabled = optional_flag(*answer, "enabled").value_or(true);
  const auto current = answer->find("current_updates");
  if (current == answer->end() || !current->is_object()) co_return updates;
  for (const auto& [database, update] : current->items()) {
    std::string name = text_field(update, "name");
    if (!name.empty()) updates.running.push_back(std::move(name));
  }
  co_return updates;
}

awaitable<Result<void>> AdminClient::enable_background_updates() {
  http::Call call = Ask("enable background updates", "POST", {"v1", "background_updates", "enabled"}).body(R"({"enabled":true})").call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

awaitable<Result<void>> AdminClient::send_server_notice(core::UserId user, std::string text, std::string transaction) {
  json content = json::object();
  content["msgtype"] = "m.text";
  content["body"] = std::move(text);
  json body = json::object();
  body["user_id"] = user.str();
  body["content"] = std::move(content);
  http::Call call = Ask("send a server notice to " + user.str(), "PUT", {"v1", "send_server_notice", std::move(transaction)}).body(body.dump()).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

// Failing ones have a failure_ts. Sorted by it they stand together at one end: at the front of the ascending order on
// PostgreSQL, of the descending one on SQLite, because the two place NULL differently. So: from both ends, until one
// ends.
awaitable<Result<AdminClient::Destinations>> AdminClient::destinations() {
  const std::string doing = "list the servers of the federation";
  Destinations destinations;
  for (const char* direction : {"f", "b"}) {
    bool more = true;
    for (std::int64_t from = 0; more; from += destinations_per_page) {
      Ask ask =
          get(doing, {"v1", "federation", "destinations"}).query("order_by", "failure_ts").query("dir", direction);
      ask = std::move(ask).query("from", std::to_string(from)).query("limit", std::to_string(destinations_per_page));
      http::Call call = std::move(ask).call(options_);
      const auto answer = co_await perform(transport_, std::move(call), options_);
      if (!answer) co_return std::unexpected(answer.error());
      const auto listed = answer->find("destinations");
      const auto total = number_field(*answer, "total");
      if (!total || listed == answer->end() || !listed->is_array())
        co_return misunderstood(doing, "the answer lists none");
      destinations.total = *total;
      const std::int64_t failures = leading_failures(*listed);
      destinations.failing += failures;
      more = failures == destinations_per_page;
    }
    if (destinations.failing > 0) break;
  }
  co_return destinations;
}

}  // namespace steward::synapse
