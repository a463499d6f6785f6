// Who the bot is: users, device, name, and whether homeserver and bot reach each other.
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "matrix/call.hpp"
#include "matrix/client.hpp"
#include "matrix/event_json.hpp"

namespace steward::matrix {

using boost::asio::awaitable;
using core::Result;
using nlohmann::json;

namespace {

// Synapse itself waits up to 60 s for our answer to its ping.
constexpr auto ping_deadline = std::chrono::seconds(75);

std::string object_text(std::string key, std::string value) {
  json object = json::object();
  object[std::move(key)] = std::move(value);
  return compact(object);
}

Result<Client::WhoAmI> who_from(const Result<json>& answer) {
  auto user = id_of<core::UserId>(answer, "user_id", &core::parse_user_id);
  if (!user) return std::unexpected(user.error());
  return Client::WhoAmI{std::move(*user), text_field(*answer, "device_id")};
}

// What a failed ping means for the person at the keyboard (facts §1.4 step 6).
std::string ping_advice(const core::Error& error) {
  if (error.source == "M_URL_NOT_SET") return "Set url in the registration file and restart Synapse";
  if (error.source == "M_BAD_STATUS") {
    return "If the status is 401 or 403, the hs_token differs between the bot and the registration that Synapse read; "
           "restart Synapse after a change. Otherwise url in the registration leads to another program";
  }
  if (error.source == "M_CONNECTION_FAILED" || error.source == "M_CONNECTION_TIMEOUT") {
    return "Synapse cannot reach the bot: compare url in the registration file with appservice.bind";
  }
  if (error.source == "M_FORBIDDEN")
    return "The id in the registration file is not the bot's; restart Synapse after a change";
  return error.next;
}

}  // namespace

Client::Client(http::Transport& transport, ClientOptions options)
    : transport_(transport), options_(std::move(options)) {}

awaitable<Result<void>> Client::register_user(std::string localpart) {
  json request = json::object();
  request["type"] = "m.login.application_service";
  request["username"] = localpart;
  request["inhibit_login"] = true;  // demanded under MAS and with io.element.msc4190
  http::Call call =
      post("register the user " + localpart, {"v3", "register"}, compact(request)).as(Speaker::sender).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (answer || is_errcode(answer.error(), "M_USER_IN_USE")) co_return Result<void>();
  core::Error error = answer.error();
  if (error.source == "M_EXCLUSIVE") {
    error.next =
        "The registration file must hold this name as its sender or in namespaces.users; restart Synapse after a "
        "change";
  }
  co_return std::unexpected(std::move(error));
}

awaitable<Result<void>> Client::put_device(std::string display_name) {
  http::Call call = put("make the bot's device", {"v3", "devices", options_.device_id},
                        object_text("display_name", std::move(display_name)))
                        .as(Speaker::user)
                        .call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer && is_errcode(answer.error(), "M_NOT_FOUND")) co_return Result<void>();  // Synapse before 1.121
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

awaitable<Result<Client::WhoAmI>> Client::whoami() {
  http::Call call = get("ask who the bot is", {"v3", "account", "whoami"}).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return who_from(answer);
}

awaitable<Result<Client::WhoAmI>> Client::whoami_sender() {
  http::Call call = get("ask who the sender is", {"v3", "account", "whoami"}).as(Speaker::sender).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return who_from(answer);
}

awaitable<Result<void>> Client::set_display_name(std::string name) {
  http::Call call = put("set the bot's name", {"v3", "profile", options_.user.str(), "displayname"},
                        object_text("displayname", std::move(name)))
                        .call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

awaitable<Result<std::chrono::milliseconds>> Client::ping(std::string transaction_id) {
  // Once: the answer is the diagnosis, and whoever waits for it wants it now.
  http::Call call = post("be reached by the homeserver", {"v1", "appservice", options_.appservice_id, "ping"},
                         object_text("transaction_id", std::move(transaction_id)))
                        .as(Speaker::sender)
                        .tries(1)
                        .within(ping_deadline)
                        .call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) {
    core::Error error = answer.error();
    error.next = ping_advice(error);
    co_return std::unexpected(std::move(error));
  }
  const auto duration = answer->find("duration_ms");
  if (duration == answer->end() || !duration->is_number_integer()) {
    co_return misunderstood("be reached by the homeserver", "the answer has no duration_ms");
  }
  co_return std::chrono::milliseconds(duration->get<std::int64_t>());
}

awaitable<Result<std::vector<std::string>>> Client::versions() {
  http::Call call = get("reach the homeserver", {"versions"}).as(Speaker::nobody).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  const auto versions = answer->find("versions");
  if (versions == answer->end()) co_return misunderstood("reach the homeserver", "the answer lists no versions");
  co_return texts_of(*versions);
}

}  // namespace steward::matrix
