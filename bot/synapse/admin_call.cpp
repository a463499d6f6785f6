#include "synapse/admin_call.hpp"

#include <nlohmann/json.hpp>

#include "http/url.hpp"

namespace steward::synapse {

using nlohmann::json;

namespace {

const json* field(const json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

http::Refusal read_refusal(const std::string& body) {
  http::Refusal refusal;
  const json parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object()) return refusal;
  refusal.errcode = text_field(parsed, "errcode");
  refusal.text = text_field(parsed, "error");
  const auto wait = number_field(parsed, "retry_after_ms");
  if (wait && *wait >= 0) refusal.retry_after = std::chrono::milliseconds(std::min<std::int64_t>(*wait, 86'400'000));
  return refusal;
}

// facts/synapse-admin-api.md §2.3 and §2.6.
std::string how_to_get_rights(const AdminOptions& options) {
  if (options.own_admin_token) {
    return "admin_token must belong to a server admin. Under the Matrix Authentication Service it needs the scope "
           "urn:synapse:admin:*, for example by `mas-cli manage issue-compatibility-token USER "
           "--yes-i-want-to-grant-synapse-admin-privileges`";
  }
  return "Make the registration's sender a server admin, in one of three ways: "
         "(1) an existing admin calls PUT /_synapse/admin/v1/users/SENDER/admin with {\"admin\": true}, or gives its "
         "token to "
         "`steward setup --admin-token-file`; "
         "(2) `steward setup --shared-secret-file` with the registration_shared_secret of homeserver.yaml; "
         "(3) with Synapse stopped, UPDATE users SET admin = 1 WHERE name = 'SENDER' in its database (a running "
         "Synapse does "
         "not see that). Under the Matrix Authentication Service none of them helps: set admin_token";
}

void advise(core::Error& error, const AdminOptions& options) {
  if (error.code == core::Code::not_allowed && error.why.find("server admin") != std::string::npos) {
    error.next = how_to_get_rights(options);
  } else if (error.code == core::Code::not_found && !is_absent(error)) {
    error.next =
        "This address does not serve it: homeserver.url must lead to Synapse's main process, not to a proxy that "
        "hides /_synapse/admin; homeserver.media_url to the media worker, where there is one; an older Synapse or "
        "one under the Matrix Authentication Service may lack it";
  }
}

}  // namespace

Ask::Ask(std::string doing, std::string method, Path path) : doing_(std::move(doing)), path_(std::move(path)) {
  request_.method = std::move(method);
  // Synapse wants an object even where it reads nothing from it: DELETE v2/rooms without a body is 400 M_NOT_JSON.
  if (request_.method != "GET") request_.body = "{}";
}

Ask Ask::body(std::string text) && {
  request_.body = std::move(text);
  return std::move(*this);
}

Ask Ask::query(std::string name, std::string value) && {
  query_.emplace_back(std::move(name), std::move(value));
  return std::move(*this);
}

Ask Ask::once_only() && {
  repeat_ = http::Repeat::only_unsent;
  return std::move(*this);
}

Ask Ask::tries(int attempts) && {
  patience_.attempts = attempts;
  return std::move(*this);
}

Ask Ask::within(std::chrono::milliseconds deadline) && {
  deadline_ = deadline;
  return std::move(*this);
}

Ask Ask::without_token() && {
  with_token_ = false;
  return std::move(*this);
}

Ask Ask::outside_admin_path() && {
  in_admin_path_ = false;
  return std::move(*this);
}

http::Call Ask::call(const AdminOptions& options) && {
  Path path;
  if (in_admin_path_) path = {"_synapse", "admin"};
  path.insert(path.end(), std::make_move_iterator(path_.begin()), std::make_move_iterator(path_.end()));
  request_.target = http::target(path, query_);
  if (with_token_) request_.headers.emplace_back("Authorization", "Bearer " + options.token.reveal());
  http::Call call(std::move(doing_), std::move(request_), repeat_);
  call.options.deadline = deadline_;
  call.patience = patience_;
  return call;
}

Ask get(std::string doing, Path path) { return Ask(std::move(doing), "GET", std::move(path)); }

boost::asio::awaitable<core::Result<http::Response>> send(http::Transport& transport, http::Call call,
                                                          AdminOptions options) {
  auto response = co_await http::call(transport, std::move(call), &read_refusal);
  if (!response) advise(response.error(), options);
  co_return response;
}

boost::asio::awaitable<core::Result<json>> perform(http::Transport& transport, http::Call call, AdminOptions options) {
  const std::string doing = call.doing;
  const auto response = co_await send(transport, std::move(call), std::move(options));
  if (!response) co_return std::unexpected(response.error());
  json answer = json::parse(response->body, nullptr, false);
  if (!answer.is_object()) co_return misunderstood(doing, "the answer is not a JSON object");
  co_return answer;
}

bool is_absent(const core::Error& error) { return error.source == "M_NOT_FOUND"; }

std::unexpected<core::Error> misunderstood(std::string doing, std::string why) {
  return core::fail(core::Code::protocol, "Could not " + doing, std::move(why),
                    "Check homeserver.url: it must lead to Synapse itself");
}

std::string text_field(const json& object, std::string_view key) {
  const json* value = field(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::optional<bool> optional_flag(const json& object, std::string_view key) {
  const json* value = field(object, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_number_integer()) return value->get<std::int64_t>() != 0;
  return std::nullopt;
}

bool flag_field(const json& object, std::string_view key) { return optional_flag(object, key).value_or(false); }

std::optional<std::int64_t> number_field(const json& object, std::string_view key) {
  const json* value = field(object, key);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  return value->get<std::int64_t>();
}

std::vector<std::string> texts_field(const json& object, std::string_view key) {
  std::vector<std::string> texts;
  const json* value = field(object, key);
  if (value == nullptr || !value->is_array()) return texts;
  for (const json& entry : *value) {
    if (entry.is_string()) texts.push_back(entry.get<std::string>());
  }
  return texts;
}

std::vector<core::UserId> users_field(const json& object, std::string_view key) {
  std::vector<core::UserId> users;
  for (const std::string& text : texts_field(object, key)) {
    if (auto user = core::parse_user_id(text)) users.push_back(std::move(*user));
  }
  return users;
}

}  // namespace steward::synapse
