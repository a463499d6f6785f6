// Rooms: listing, details, members, deletion and how far it is.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "synapse/admin_call.hpp"

namespace steward::synapse {

using boost::asio::awaitable;
using core::Result;
using nlohmann::json;

namespace {

constexpr auto list_deadline = std::chrono::minutes(3);  // sorts every room of the server

RoomInfo room_from(const json& source, core::RoomId room_id) {
  RoomInfo room;
  room.room_id = std::move(room_id);
  room.name = text_field(source, "name");
  room.canonical_alias = text_field(source, "canonical_alias");
  room.version = text_field(source, "version");
  room.creator = text_field(source, "creator");
  room.encryption = text_field(source, "encryption");
  room.join_rules = text_field(source, "join_rules");
  room.room_type = text_field(source, "room_type");
  room.history_visibility = text_field(source, "history_visibility");
  room.joined_members = number_field(source, "joined_members").value_or(0);
  room.joined_local_members = number_field(source, "joined_local_members").value_or(0);
  room.state_events = number_field(source, "state_events").value_or(0);
  room.is_public = flag_field(source, "public");
  room.federatable = flag_field(source, "federatable");
  room.forgotten = optional_flag(source, "forgotten");
  room.tombstoned = optional_flag(source, "tombstoned");
  return room;
}

std::string bool_text(bool value) { return value ? "true" : "false"; }

std::string delete_body(const AdminClient::DeleteRequest& request) {
  json body = json::object();
  body["block"] = request.block;
  body["purge"] = request.purge;
  body["force_purge"] = request.force_purge;
  if (!request.message.empty()) body["message"] = request.message;
  if (!request.new_room_user.empty()) body["new_room_user_id"] = request.new_room_user;
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json& array_field(const json& object, std::string_view key) {
  static const json none = json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : none;
}

DeleteStatus status_from(const json& source) {
  DeleteStatus status;
  status.delete_id = text_field(source, "delete_id");
  status.status = text_field(source, "status");
  const auto shutdown = source.find("shutdown_room");
  if (shutdown != source.end()) {  // null until the work began
    status.kicked = users_field(*shutdown, "kicked_users");
    status.failed_to_kick = users_field(*shutdown, "failed_to_kick_users");
  }
  return status;
}

StateEvent state_event_from(const json& source) {
  StateEvent event;
  event.type = text_field(source, "type");
  event.state_key = text_field(source, "state_key");
  event.sender = core::UserId(text_field(source, "sender"));
  event.sent_ms = number_field(source, "origin_server_ts").value_or(0);
  const auto content = source.find("content");
  if (content == source.end() || !content->is_object()) return event;
  event.content = content->dump(-1, ' ', false, json::error_handler_t::replace);
  event.names_servers = !array_field(*content, "via").empty();
  return event;
}

}  // namespace

awaitable<Result<RoomPage>> AdminClient::rooms(RoomQuery query) {
  const std::string doing = "list the rooms";
  if (!query.search_term.empty() && (query.public_rooms || query.empty_rooms)) {
    // Synapse joins them with OR (storage/databases/main/room.py): rooms that are in use would pass as empty.
    co_return core::fail(core::Code::internal, "Could not " + doing, "a search term and a filter must not be combined");
  }
  Ask ask = get(doing, {"v1", "rooms"}).within(list_deadline);
  ask = std::move(ask).query("from", std::to_string(query.from)).query("limit", std::to_string(query.limit));
  ask = std::move(ask).query("order_by", query.order_by).query("dir", query.backward ? "b" : "f");
  if (!query.search_term.empty()) ask = std::move(ask).query("search_term", query.search_term);
  if (query.public_rooms) ask = std::move(ask).query("public_rooms", bool_text(*query.public_rooms));
  if (query.empty_rooms) ask = std::move(ask).query("empty_rooms", bool_text(*query.empty_rooms));
  http::Call call = std::move(ask).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  const auto total = number_field(*answer, "total_rooms");
  if (!total) co_return misunderstood(doing, "the answer has no total_rooms");
  RoomPage page;
  page.total = *total;
  page.next = number_field(*answer, "next_batch");
  for (const json& source : array_field(*answer, "rooms")) {
    auto id = core::parse_room_id(text_field(source, "room_id"));
    if (id) page.rooms.push_back(room_from(source, std::move(*id)));
  }
  co_return page;
}

awaitable<Result<RoomInfo>> AdminClient::room(core::RoomId room) {
  http::Call call = get("look at the room " + room.str(), {"v1", "rooms", room.str()}).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  co_return room_from(*answer, room);
}

awaitable<Result<std::vector<core::UserId>>> AdminClient::room_members(core::RoomId room) {
  http::Call call = get("list the members of the room " + room.str(), {"v1", "rooms", room.str(), "members"})
                        .within(list_deadline)
                        .call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  co_return users_field(*answer, "members");
}

awaitable<Result<std::vector<StateEvent>>> AdminClient::room_state(core::RoomId room) {
  http::Call call = get("read the state of the room " + room.str(), {"v1", "rooms", room.str(), "state"}).within(list_deadline).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<StateEvent> state;
  for (const json& source : array_field(*answer, "state")) state.push_back(state_event_from(source));
  co_return state;
}

awaitable<Result<std::string>> AdminClient::delete_room(core::RoomId room, DeleteRequest request) {
  const std::string doing = "delete the room " + room.str();
  http::Call call =
      Ask(doing, "DELETE", {"v2", "rooms", room.str()}).body(delete_body(request)).once_only().call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  std::string delete_id = text_field(*answer, "delete_id");
  if (delete_id.empty()) co_return misunderstood(doing, "the answer has no delete_id");
  co_return delete_id;
}

awaitable<Result<std::vector<DeleteStatus>>> AdminClient::delete_status(core::RoomId room) {
  http::Call call =
      get("ask how far the deletion of the room " + room.str() + " is", {"v2", "rooms", room.str(), "delete_status"})
          .call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  std::vector<DeleteStatus> statuses;
  if (!answer && is_absent(answer.error())) co_return statuses;
  if (!answer) co_return std::unexpected(answer.error());
  for (const json& source : array_field(*answer, "results")) {
    if (source.is_object()) statuses.push_back(status_from(source));
  }
  co_return statuses;
}

awaitable<Result<void>> AdminClient::set_room_block(core::RoomId room, bool block) {
  json body = json::object();
  body["block"] = block;
  http::Call call = Ask((block ? "block the room " : "unblock the room ") + room.str(), "PUT", {"v1", "rooms", room.str(), "block"})
                        .body(body.dump())
                        .call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

awaitable<Result<std::vector<TaskInfo>>> AdminClient::tasks(std::string resource_id,
                                                            std::vector<std::string> statuses) {
  Ask ask = get("list Synapse's tasks", {"v1", "scheduled_tasks"});
  if (!resource_id.empty()) ask = std::move(ask).query("resource_id", resource_id);
  // Before 1.160 Synapse ignores `status` (it read one `job_status`): the answer is filtered here in any case.
  for (const std::string& status : statuses) ask = std::move(ask).query("status", status);
  http::Call call = std::move(ask).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<TaskInfo> tasks;
  for (const json& source : array_field(*answer, "scheduled_tasks")) {
    TaskInfo task;
    task.id = text_field(source, "id");
    task.action = text_field(source, "action");
    task.status = text_field(source, "status");
    task.resource_id = text_field(source, "resource_id");
    task.error = text_field(source, "error");
    const bool wanted = statuses.empty() || std::find(statuses.begin(), statuses.end(), task.status) != statuses.end();
    if (wanted) tasks.push_back(std::move(task));
  }
  co_return tasks;
}

}  // namespace steward::synapse
