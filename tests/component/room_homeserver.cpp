#include "room_homeserver.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "http/url.hpp"

namespace steward::room {

namespace {

using Json = RoomHomeserver::Json;

http::Response reply(unsigned status, const Json& body) {
  http::Response response;
  response.status = status;
  response.body = body.dump();
  return response;
}

std::string text(const Json& object, const char* key) { return object.at(key).get<std::string>(); }

http::Response refusal(unsigned status, const std::string& errcode) {
  return reply(status, Json{{"errcode", errcode}, {"error", "scripted"}});
}

// An empty state key gives a trailing slash, an empty segment that parse_target refuses.
std::string without_trailing_slash(std::string target) {
  const std::size_t end = std::min(target.find('?'), target.size());
  if (end > 0 && target[end - 1] == '/') target.erase(end - 1, 1);
  return target;
}

Json* state_of(RoomHomeserver::Room& room, const std::string& type, const std::string& key) {
  for (Json& event : room.state) {
    if (event["type"] == type && event["state_key"] == key) return &event;
  }
  return nullptr;
}

}  // namespace

void RoomHomeserver::refuse(std::string part, unsigned status, std::string errcode, int times) {
  Fault fault;
  fault.part = std::move(part);
  fault.status = status;
  fault.errcode = std::move(errcode);
  fault.times = times;
  faults_.push_back(std::move(fault));
}

void RoomHomeserver::cut(std::string part, core::Code code, bool done_all_the_same, int times) {
  Fault fault;
  fault.part = std::move(part);
  fault.code = code;
  fault.done_all_the_same = done_all_the_same;
  fault.times = times;
  faults_.push_back(std::move(fault));
}

boost::asio::awaitable<core::Result<http::Response>> RoomHomeserver::send(http::Request request, http::CallOptions) {
  // As on a network, others run before the answer is there.
  auto executor = co_await boost::asio::this_coro::executor;
  co_await boost::asio::post(executor, boost::asio::use_awaitable);
  const http::ParsedTarget target = http::parse_target(without_trailing_slash(request.target));
  std::string line = request.method + " ";
  for (const std::string& segment : target.segments) line += "/" + segment;
  std::string query;
  from_.clear();
  for (const auto& [name, value] : target.query) {
    query += name + "=" + value + "&";
    if (name == "from") from_ = value;
  }
  requests.push_back(line);
  queries.push_back(query);
  const auto fault = std::ranges::find_if(faults_, [&line](const Fault& f) { return line.find(f.part) != std::string::npos; });
  if (fault == faults_.end()) co_return answer(request.method, target.segments, request);
  const Fault taken = *fault;
  if (--fault->times == 0) faults_.erase(fault);
  if (taken.done_all_the_same) answer(request.method, target.segments, request);
  if (taken.status != 0) co_return refusal(taken.status, taken.errcode);
  co_return core::fail(taken.code, "The scripted connection failed", "by the script");
}

RoomHomeserver::Room& RoomHomeserver::make_room(const std::string& id, const std::string& creator) {
  Room& room = rooms[id];
  add_state(id, "m.room.create", "", Json{{"room_version", "12"}}, creator);
  add_state(id, "m.room.power_levels", "", Json::object(), creator);
  add_state(id, "m.room.join_rules", "", Json{{"join_rule", "invite"}}, creator);
  add_state(id, "m.room.history_visibility", "", Json{{"history_visibility", "shared"}}, creator);
  add_state(id, "m.room.member", creator, Json{{"membership", "join"}}, creator);
  add_state(id, "m.room.member", bot, Json{{"membership", "join"}}, bot);
  return room;
}

Json& RoomHomeserver::add_state(const std::string& room, const std::string& type, const std::string& key, Json content,
                                const std::string& sender) {
  Room& where = rooms[room];
  Json event{{"type", type},     {"state_key", key}, {"content", std::move(content)}, {"sender", sender},
             {"room_id", room}, {"event_id", next_event_id()}, {"origin_server_ts", 1}};
  if (Json* before = state_of(where, type, key)) {
    *before = std::move(event);
    return *before;
  }
  where.state.push_back(std::move(event));
  return where.state.back();
}

std::vector<std::string> RoomHomeserver::bodies(const std::string& room) const {
  std::vector<std::string> texts;
  const auto found = rooms.find(room);
  if (found == rooms.end()) return texts;
  for (const Json& event : found->second.timeline) {
    if (event["type"] == "m.room.message") texts.push_back(event["content"].value("body", ""));
  }
  return texts;
}

int RoomHomeserver::asked(const std::string& part) const {
  return static_cast<int>(
      std::ranges::count_if(requests, [&part](const std::string& line) { return line.find(part) != std::string::npos; }));
}

http::Response RoomHomeserver::answer(const std::string& method, const std::vector<std::string>& path,
                                      const http::Request& request) {
  const Json body = Json::parse(request.body, nullptr, false);
  const auto at = [&path](std::size_t index) { return index < path.size() ? path[index] : std::string(); };
  if (at(1) == "media") return reply(200, Json{{"content_uri", "mxc://hs.test/upload" + std::to_string(++last_event_)}});
  if (at(3) == "joined_rooms") {
    Json joined = Json::array();
    for (const auto& [id, room] : rooms) {
      if (room.joined) joined.push_back(id);
    }
    return reply(200, Json{{"joined_rooms", joined}});
  }
  if (at(3) == "createRoom") return created(body);
  if (at(3) == "devices") {
    device_exists = true;
    return reply(200, Json::object());
  }
  if (at(3) == "join") {
    const auto room = rooms.find(at(4));
    if (room == rooms.end()) return refusal(404, "M_NOT_FOUND");
    if (!room->second.joined && !room->second.invited) return refusal(403, "M_FORBIDDEN");
    room->second.joined = true;
    add_state(at(4), "m.room.member", bot, Json{{"membership", "join"}}, bot);
    return reply(200, Json{{"room_id", at(4)}});
  }
  if (at(3) == "user" && at(7) == "tags") {
    Room& room = rooms[at(6)];
    if (method == "PUT") room.tags.insert(at(8));
    Json tags = Json::object();
    for (const std::string& tag : room.tags) tags[tag] = Json::object();
    return reply(200, Json{{"tags", tags}});
  }
  if (at(3) == "rooms") return room_answer(method, path, body);
  return refusal(404, "M_UNRECOGNIZED");
}

http::Response RoomHomeserver::room_answer(const std::string& method, const std::vector<std::string>& path, const Json& body) {
  const std::string& id = path[4];
  const auto found = rooms.find(id);
  if (found == rooms.end()) return refusal(403, "M_FORBIDDEN");
  Room& room = found->second;
  const std::string& what = path[5];
  if (what == "leave") {
    room.joined = false;
    room.invited = false;
    return reply(200, Json::object());
  }
  if (!room.joined) return refusal(403, "M_FORBIDDEN");
  if (what == "send" || what == "redact") return sent(room, id, path, body);
  if (what == "invite") {
    add_state(id, "m.room.member", text(body, "user_id"), Json{{"membership", "invite"}}, bot);
    return reply(200, Json::object());
  }
  if (what == "messages") return history(room, from_);
  if (what == "state") return state(room, id, method, path, body);
  return refusal(404, "M_UNRECOGNIZED");
}

http::Response RoomHomeserver::sent(Room& room, const std::string& id, const std::vector<std::string>& path, const Json& body) {
  if (!device_exists) return refusal(400, "M_UNKNOWN_DEVICE");
  const std::string& transaction = path[7];
  std::string& event_id = transactions_[id + path[5] + path[6] + transaction];
  if (!event_id.empty()) return reply(200, Json{{"event_id", event_id}});
  event_id = next_event_id();
  const std::string type = path[5] == "redact" ? "m.room.redaction" : path[6];
  Json event{{"type", type}, {"content", body}, {"sender", bot}, {"room_id", id}, {"event_id", event_id},
             {"origin_server_ts", 1}, {"unsigned", Json{{"age", 10}, {"transaction_id", transaction}}}};
  if (path[5] == "redact") event["redacts"] = path[6];
  room.timeline.push_back(std::move(event));
  return reply(200, Json{{"event_id", event_id}});
}

http::Response RoomHomeserver::created(const Json& body) {
  const std::string id = "!made" + std::to_string(++last_room_);
  make_room(id, bot);
  Json create{{"room_version", "12"}};
  create.update(body["creation_content"]);
  add_state(id, "m.room.create", "", create, bot);
  for (const Json& event : body["initial_state"]) {
    add_state(id, text(event, "type"), text(event, "state_key"), event["content"], bot);
  }
  if (encrypts_everything) add_state(id, "m.room.encryption", "", Json{{"algorithm", "m.megolm.v1.aes-sha2"}}, bot);
  bodies_sent.push_back(body);
  return reply(200, Json{{"room_id", id}});
}

// Pages of two, so that paging is used.
http::Response RoomHomeserver::history(const Room& room, const std::string& from) const {
  const std::size_t end = from.empty() ? room.timeline.size() : static_cast<std::size_t>(std::stoul(from));
  const std::size_t begin = end > 2 ? end - 2 : 0;
  Json chunk = Json::array();
  for (std::size_t index = end; index > begin; --index) chunk.push_back(room.timeline[index - 1]);
  Json page{{"chunk", chunk}};
  if (begin > 0) page["end"] = std::to_string(begin);
  return reply(200, page);
}

http::Response RoomHomeserver::state(Room& room, const std::string& id, const std::string& method,
                                     const std::vector<std::string>& path, const Json& body) {
  if (path.size() == 6) return reply(200, Json(room.state));
  const std::string key = path.size() > 7 ? path[7] : std::string();
  if (method == "PUT") {
    const std::string event_id = text(add_state(id, path[6], key, body, bot), "event_id");
    return reply(200, Json{{"event_id", event_id}});
  }
  const Json* event = state_of(room, path[6], key);
  if (event == nullptr) return refusal(404, "M_NOT_FOUND");
  return reply(200, (*event)["content"]);
}

}  // namespace steward::room
