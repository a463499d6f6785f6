// Events: sending, redacting, reading; typing, receipts and uploads.
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "matrix/call.hpp"
#include "matrix/client.hpp"
#include "matrix/event_json.hpp"

namespace steward::matrix {

using boost::asio::awaitable;
using core::Result;
using nlohmann::json;

namespace {

constexpr auto upload_deadline = std::chrono::minutes(5);
constexpr int typing_ms = 30'000;

}  // namespace

awaitable<Result<core::EventId>> Client::send(core::RoomId room, std::string type, std::string transaction_id,
                                              std::string content) {
  http::Call call =
      put("send a message", room_path(room, {"send", std::move(type), std::move(transaction_id)}), std::move(content))
          .call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return id_of<core::EventId>(answer, "event_id", &core::parse_event_id);
}

awaitable<Result<core::EventId>> Client::redact(core::RoomId room, core::EventId event, std::string transaction_id,
                                                std::string reason) {
  json request = json::object();
  if (!reason.empty()) request["reason"] = std::move(reason);
  http::Call call =
      put("remove a message", room_path(room, {"redact", event.str(), std::move(transaction_id)}), compact(request))
          .call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return id_of<core::EventId>(answer, "event_id", &core::parse_event_id);
}

awaitable<Result<Event>> Client::event(core::RoomId room, core::EventId event) {
  http::Call call = get("read an event", room_path(room, {"event", event.str()})).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  co_return event_from_json(*answer, room);
}

awaitable<Result<Client::Page>> Client::messages_backward(core::RoomId room, std::string from, int limit) {
  Ask ask = get("read a room's history", room_path(room, {"messages"})).query("dir", "b");
  ask = std::move(ask).query("limit", std::to_string(limit));
  if (!from.empty()) ask = std::move(ask).query("from", std::move(from));
  http::Call call = std::move(ask).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  Page page;
  page.end = text_field(*answer, "end");
  const auto chunk = answer->find("chunk");
  if (chunk == answer->end() || !chunk->is_array()) {
    co_return misunderstood("read a room's history", "the answer has no chunk");
  }
  for (const json& source : *chunk) {
    auto event = event_from_json(source, room);
    if (event) {
      page.events.push_back(std::move(*event));
    } else {
      core::log_debug("matrix", "left out of a room's history: {}", core::describe(event.error()));
    }
  }
  co_return page;
}

awaitable<Result<void>> Client::typing(core::RoomId room, bool on) {
  json request = json::object();
  request["typing"] = on;
  if (on) request["timeout"] = typing_ms;
  // Of no use later: one try.
  http::Call call =
      put("show that the bot is typing", room_path(room, {"typing", options_.user.str()}), compact(request))
          .tries(1)
          .call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return done(answer);
}

awaitable<Result<void>> Client::read_receipt(core::RoomId room, core::EventId event) {
  http::Call call =
      post("mark a message as read", room_path(room, {"receipt", "m.read", event.str()}), "{}").call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return done(answer);
}

awaitable<Result<std::string>> Client::upload(std::string name, std::string mimetype, std::string data) {
  // A repetition leaves a second copy behind, which nobody would ever delete.
  http::Call call = post("upload a file", Path(), std::string())
                        .upload(std::move(mimetype), std::move(data))
                        .query("filename", std::move(name))
                        .once_only()
                        .within(upload_deadline)
                        .call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  std::string uri = text_field(*answer, "content_uri");
  if (!core::parse_media_id(uri)) co_return misunderstood("upload a file", "the answer has no content_uri");
  co_return uri;
}

}  // namespace steward::matrix
