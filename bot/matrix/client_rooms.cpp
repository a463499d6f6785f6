// Rooms: making, joining, leaving, their members, state, aliases and tags.
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

// A join of a remote room asks other servers, a full room takes its time to be made.
constexpr auto slow_deadline = std::chrono::minutes(3);

Path state_path(const core::RoomId& room, std::string type, std::string key) {
  return room_path(room, {"state", std::move(type), std::move(key)});
}

// True for "it is not there", false for a path the server does not know.
bool is_absent(const core::Error& error) { return is_errcode(error, "M_NOT_FOUND"); }

Path tags_path(const core::UserId& user, const core::RoomId& room) {
  return {"v3", "user", user.str(), "rooms", room.str(), "tags"};
}

Path direct_path(const core::UserId& user) { return {"v3", "user", user.str(), "account_data", "m.direct"}; }

std::vector<core::RoomId> rooms_of(const json& direct, const core::UserId& user) {
  std::vector<core::RoomId> rooms;
  const auto listed = direct.find(user.str());
  if (listed == direct.end()) return rooms;
  for (const std::string& text : texts_of(*listed)) {
    if (auto room = core::parse_room_id(text)) rooms.push_back(std::move(*room));
  }
  return rooms;
}

std::string membership_of(const std::optional<std::string>& content) {
  if (!content) return {};
  const json parsed = json::parse(*content, nullptr, false);
  return parsed.is_object() ? text_field(parsed, "membership") : std::string();
}

}  // namespace

awaitable<Result<core::RoomId>> Client::create_room(std::string request_json) {
  http::Call call = post("create a room", {"v3", "createRoom"}, std::move(request_json))
                        .once_only()
                        .within(slow_deadline)
                        .call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return id_of<core::RoomId>(answer, "room_id", &core::parse_room_id);
}

awaitable<Result<void>> Client::invite(core::RoomId room, core::UserId user, std::string reason) {
  json request = json::object();
  request["user_id"] = user.str();
  if (!reason.empty()) request["reason"] = std::move(reason);
  http::Call call =
      post("invite " + user.str(), room_path(room, {"invite"}), compact(request)).once_only().call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return done(answer);
}

awaitable<Result<void>> Client::join(core::RoomId room, std::vector<std::string> via) {
  Ask ask = post("join a room", {"v3", "join", room.str()}, "{}").within(slow_deadline);
  for (const std::string& server : via) {
    ask = std::move(ask).query("via", server);
    ask = std::move(ask).query("server_name", server);  // the name before Matrix 1.12
  }
  http::Call call = std::move(ask).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return done(answer);
}

awaitable<Result<void>> Client::leave(core::RoomId room) {
  http::Call call = post("leave a room", room_path(room, {"leave"}), "{}").call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return done(answer);
}

awaitable<Result<std::vector<core::RoomId>>> Client::joined_rooms() {
  http::Call call = get("list the bot's rooms", {"v3", "joined_rooms"}).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  const auto listed = answer->find("joined_rooms");
  if (listed == answer->end()) co_return misunderstood("list the bot's rooms", "the answer lists none");
  std::vector<core::RoomId> rooms;
  for (const std::string& text : texts_of(*listed)) {
    if (auto room = core::parse_room_id(text)) rooms.push_back(std::move(*room));
  }
  co_return rooms;
}

awaitable<Result<std::vector<core::UserId>>> Client::joined_members(core::RoomId room) {
  http::Call call = get("list a room's members", room_path(room, {"joined_members"})).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  const auto joined = answer->find("joined");
  if (joined == answer->end() || !joined->is_object()) {
    co_return misunderstood("list a room's members", "the answer lists none");
  }
  std::vector<core::UserId> members;
  for (const auto& [text, profile] : joined->items()) {
    if (auto user = core::parse_user_id(text)) members.push_back(std::move(*user));
  }
  co_return members;
}

awaitable<Result<std::vector<Event>>> Client::state(core::RoomId room) {
  http::Call call = get("read a room's state", room_path(room, {"state"})).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<Event> events;
  for (const json& source : *answer) {
    auto event = event_from_json(source, room);
    if (event) {
      events.push_back(std::move(*event));
    } else {
      core::log_debug("matrix", "left out of the state of a room: {}", core::describe(event.error()));
    }
  }
  co_return events;
}

awaitable<Result<std::optional<std::string>>> Client::state_content(core::RoomId room, std::string type,
                                                                    std::string key) {
  http::Call call = get("read " + type + " of a room", state_path(room, type, std::move(key))).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (answer && nests_too_deeply(*answer))
    co_return misunderstood("read " + type + " of a room", "it is nested too deeply");
  if (answer) co_return compact(*answer);
  if (is_absent(answer.error())) co_return std::optional<std::string>();
  co_return std::unexpected(answer.error());
}

awaitable<Result<core::EventId>> Client::put_state(core::RoomId room, std::string type, std::string key,
                                                   std::string content) {
  http::Call call =
      put("set " + type + " of a room", state_path(room, type, std::move(key)), std::move(content)).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return id_of<core::EventId>(answer, "event_id", &core::parse_event_id);
}

awaitable<Result<std::optional<core::RoomId>>> Client::resolve_alias(core::RoomAlias alias) {
  http::Call call =
      get("look up " + alias.str(), {"v3", "directory", "room", alias.str()}).within(slow_deadline).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer && is_absent(answer.error())) co_return std::optional<core::RoomId>();
  auto room = id_of<core::RoomId>(answer, "room_id", &core::parse_room_id);
  if (!room) co_return std::unexpected(room.error());
  co_return std::optional<core::RoomId>(std::move(*room));
}

awaitable<Result<void>> Client::put_tag(core::RoomId room, std::string tag) {
  Path path = tags_path(options_.user, room);
  path.push_back(std::move(tag));
  http::Call call = put("tag a room", std::move(path), "{}").call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  co_return done(answer);
}

awaitable<Result<std::vector<std::string>>> Client::tags(core::RoomId room) {
  http::Call call = get("read a room's tags", tags_path(options_.user, room)).call(options_);
  const auto answer = co_await perform(transport_, std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<std::string> tags;
  const auto listed = answer->find("tags");
  if (listed == answer->end() || !listed->is_object()) co_return tags;
  for (const auto& [tag, content] : listed->items()) tags.push_back(tag);
  co_return tags;
}

awaitable<Result<core::RoomId>> Client::direct_room(core::UserId user, std::string request_json) {
  http::Call read = get("read the list of direct rooms", direct_path(options_.user)).call(options_);
  auto listed = co_await perform(transport_, std::move(read));
  if (!listed && !is_absent(listed.error())) co_return std::unexpected(listed.error());
  json direct = listed && listed->is_object() ? std::move(*listed) : json(json::object());

  for (const core::RoomId& room : rooms_of(direct, user)) {
    const auto content = co_await state_content(room, "m.room.member", user.str());
    if (!content) continue;  // left or gone: not usable
    const std::string membership = membership_of(*content);
    if (membership == "join" || membership == "invite") co_return room;
  }

  auto room = co_await create_room(std::move(request_json));
  if (!room) co_return std::unexpected(room.error());
  json& rooms = direct[user.str()];
  if (!rooms.is_array()) rooms = json::array();
  rooms.push_back(room->str());
  http::Call write = put("note a direct room", direct_path(options_.user), compact(direct)).call(options_);
  const auto noted = co_await perform(transport_, std::move(write));
  // The room exists and works; without the note the next call makes another one.
  if (!noted) core::log_warning("matrix", "{}", core::describe(noted.error()));
  co_return room;
}

}  // namespace steward::matrix
