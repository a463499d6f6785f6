#include "matrix/call.hpp"

#include <nlohmann/json.hpp>

#include "http/url.hpp"
#include "matrix/event_json.hpp"

namespace steward::matrix {

using nlohmann::json;

namespace {

http::Refusal read_refusal(const std::string& body) {
  http::Refusal refusal;
  const json parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object()) return refusal;
  refusal.errcode = text_field(parsed, "errcode");
  refusal.text = text_field(parsed, "error");
  const auto wait = parsed.find("retry_after_ms");
  if (wait != parsed.end() && wait->is_number_unsigned()) {
    constexpr std::uint64_t a_day = 86'400'000;
    refusal.retry_after = std::chrono::milliseconds(std::min(wait->get<std::uint64_t>(), a_day));
  }
  return refusal;
}

}  // namespace

Ask::Ask(std::string doing, std::string method, Path path) : doing_(std::move(doing)), path_(std::move(path)) {
  path_.insert(path_.begin(), {"_matrix", "client"});
  request_.method = std::move(method);
}

Ask Ask::body(std::string text) && {
  request_.body = std::move(text);
  return std::move(*this);
}

Ask Ask::query(std::string name, std::string value) && {
  query_.emplace_back(std::move(name), std::move(value));
  return std::move(*this);
}

Ask Ask::as(Speaker speaker) && {
  speaker_ = speaker;
  return std::move(*this);
}

Ask Ask::once_only() && {
  repeat_ = http::Repeat::only_unsent;
  return std::move(*this);
}

Ask Ask::tries(int attempts) && {
  attempts_ = attempts;
  return std::move(*this);
}

Ask Ask::within(std::chrono::milliseconds deadline) && {
  deadline_ = deadline;
  return std::move(*this);
}

Ask Ask::upload(std::string mimetype, std::string data) && {
  path_ = {"_matrix", "media", "v3", "upload"};
  request_.content_type = std::move(mimetype);
  request_.body = std::move(data);
  return std::move(*this);
}

http::Call Ask::call(const ClientOptions& options) && {
  if (speaker_ == Speaker::device || speaker_ == Speaker::user) query_.emplace_back("user_id", options.user.str());
  if (speaker_ == Speaker::device) query_.emplace_back("device_id", options.device_id);
  if (speaker_ != Speaker::nobody) request_.headers.emplace_back("Authorization", "Bearer " + options.token.reveal());
  request_.target = http::target(path_, query_);
  http::Call call(std::move(doing_), std::move(request_), repeat_);
  call.options.deadline = deadline_;
  call.patience.attempts = attempts_.value_or(options.attempts);
  call.patience.first_delay = options.first_delay;
  return call;
}

Ask get(std::string doing, Path path) { return Ask(std::move(doing), "GET", std::move(path)); }

Ask put(std::string doing, Path path, std::string text) {
  return Ask(std::move(doing), "PUT", std::move(path)).body(std::move(text));
}

Ask post(std::string doing, Path path, std::string text) {
  return Ask(std::move(doing), "POST", std::move(path)).body(std::move(text));
}

boost::asio::awaitable<core::Result<json>> perform(http::Transport& transport, http::Call call) {
  const std::string doing = call.doing;
  const auto response = co_await http::call(transport, std::move(call), &read_refusal);
  if (!response) co_return std::unexpected(response.error());
  json answer = json::parse(response->body, nullptr, false);
  if (!answer.is_structured()) co_return misunderstood(doing, "the answer is not JSON");
  co_return answer;
}

core::Result<void> done(const core::Result<json>& answer) {
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Path room_path(const core::RoomId& room, Path rest) {
  Path path = {"v3", "rooms", room.str()};
  path.insert(path.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  return path;
}

std::vector<std::string> texts_of(const json& array) {
  std::vector<std::string> texts;
  if (!array.is_array()) return texts;
  for (const json& value : array) {
    if (value.is_string()) texts.push_back(value.get<std::string>());
  }
  return texts;
}

std::unexpected<core::Error> misunderstood(std::string doing, std::string why) {
  return core::fail(core::Code::protocol, "Could not " + doing, std::move(why),
                    "Check homeserver.url: it must lead to Synapse itself");
}

bool is_errcode(const core::Error& error, std::string_view errcode) { return error.source == errcode; }

template <class Id>
core::Result<Id> id_of(const core::Result<json>& answer, std::string_view key,
                       std::optional<Id> (*parse)(std::string_view)) {
  if (!answer) return std::unexpected(answer.error());
  auto id = parse(text_field(*answer, key));
  if (!id) return misunderstood("read an answer", "it has no " + std::string(key));
  return std::move(*id);
}

template core::Result<core::RoomId> id_of(const core::Result<json>&, std::string_view,
                                          std::optional<core::RoomId> (*)(std::string_view));
template core::Result<core::EventId> id_of(const core::Result<json>&, std::string_view,
                                           std::optional<core::EventId> (*)(std::string_view));
template core::Result<core::UserId> id_of(const core::Result<json>&, std::string_view,
                                          std::optional<core::UserId> (*)(std::string_view));

}  // namespace steward::matrix
