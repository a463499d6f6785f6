// A homeserver as far as the room layer sees one: rooms, their state and history, transaction ids, in memory, behind
// http::Transport. Faults are scripted per request. For crash points and lost answers that a real Synapse cannot be made to
// show; what Synapse itself does is tested with a real one in tests/e2e.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "http/transport.hpp"

namespace steward::room {

class RoomHomeserver final : public http::Transport {
 public:
  using Json = nlohmann::json;
  static constexpr const char* bot = "@steward:hs.test";
  static constexpr const char* admin = "@ann:hs.test";

  struct Room {
    std::vector<Json> state;     // whole events
    std::vector<Json> timeline;  // oldest first; what was sent with send, redact or put
    std::set<std::string> tags;
    bool joined = true;  // the bot
    bool invited = false;
  };

  // What happens to the next request whose "METHOD path" contains `part`.
  struct Fault {
    std::string part;
    unsigned status = 0;         // the answer; 0: none, `code` is the transport's error
    std::string errcode;
    core::Code code = core::Code::unavailable;
    bool done_all_the_same = false;  // the request has its effect, its answer is lost or replaced
    int times = 1;
  };
  void refuse(std::string part, unsigned status, std::string errcode, int times = 1);
  void cut(std::string part, core::Code code, bool done_all_the_same, int times = 1);

  boost::asio::awaitable<core::Result<http::Response>> send(http::Request request, http::CallOptions options) override;

  // A room as others made it; the bot is joined.
  Room& make_room(const std::string& id, const std::string& creator = admin);
  Json& add_state(const std::string& room, const std::string& type, const std::string& key, Json content,
                  const std::string& sender = admin);
  std::vector<std::string> bodies(const std::string& room) const;  // of the messages in its timeline
  int asked(const std::string& part) const;                        // how many requests contained it

  std::map<std::string, Room> rooms;
  std::vector<std::string> requests;  // "PUT /_matrix/client/v3/…", decoded, without the query
  std::vector<std::string> queries;
  std::vector<Json> bodies_sent;
  bool encrypts_everything = false;
  bool device_exists = true;

 private:
  http::Response answer(const std::string& method, const std::vector<std::string>& path, const http::Request& request);
  http::Response room_answer(const std::string& method, const std::vector<std::string>& path, const Json& body);
  http::Response sent(Room& room, const std::string& id, const std::vector<std::string>& path, const Json& body);
  http::Response created(const Json& body);
  http::Response history(const Room& room, const std::string& from) const;
  http::Response state(Room& room, const std::string& id, const std::string& method, const std::vector<std::string>& path,
                       const Json& body);
  std::string next_event_id() { return "$event" + std::to_string(++last_event_); }

  std::deque<Fault> faults_;
  std::map<std::string, std::string> transactions_;
  int last_event_ = 0;
  int last_room_ = 0;
  std::string from_;
};

}  // namespace steward::room
