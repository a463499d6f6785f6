// How the client's methods reach the homeserver: who speaks, what is asked, and the answer as JSON. Only for
// client_*.cpp.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "http/retry.hpp"
#include "matrix/client.hpp"

namespace steward::matrix {

enum class Speaker {
  device,  // the chat user with its device: everything in rooms
  user,    // the chat user, while the device may not exist yet
  sender,  // the registration's own identity
  nobody,  // without a token
};

using Path = std::vector<std::string>;
using Query = std::vector<std::pair<std::string, std::string>>;

// A class with a constructor, not an aggregate: it travels through coroutines (g++ 12).
class Ask {
 public:
  // `doing` ends the sentence "Could not …". The path starts after /_matrix/client.
  Ask(std::string doing, std::string method, Path path);

  Ask body(std::string json) &&;
  Ask query(std::string name, std::string value) &&;
  Ask as(Speaker speaker) &&;
  Ask once_only() &&;  // a repetition would do it twice: only tried again when nothing was sent
  Ask tries(int attempts) &&;
  Ask within(std::chrono::milliseconds deadline) &&;
  Ask upload(std::string mimetype, std::string data) &&;  // the media repository's own root instead of /_matrix/client

  http::Call call(const ClientOptions& options) &&;

 private:
  std::string doing_;
  http::Request request_;
  Path path_;
  Query query_;
  Speaker speaker_ = Speaker::device;
  http::Repeat repeat_ = http::Repeat::freely;
  std::optional<int> attempts_;
  std::chrono::milliseconds deadline_ = std::chrono::seconds(30);
};

Ask get(std::string doing, Path path);
Ask put(std::string doing, Path path, std::string json);
Ask post(std::string doing, Path path, std::string json);

// The answer's JSON object; protocol when it is none. `transport` must outlive the call.
boost::asio::awaitable<core::Result<nlohmann::json>> perform(http::Transport& transport, http::Call call);

core::Result<void> done(const core::Result<nlohmann::json>& answer);
Path room_path(const core::RoomId& room, Path rest);

// The strings of an array; others are left out.
std::vector<std::string> texts_of(const nlohmann::json& array);

std::unexpected<core::Error> misunderstood(std::string doing, std::string why);
bool is_errcode(const core::Error& error, std::string_view errcode);

// The id under `key` of an answer; protocol when it is absent or malformed.
template <class Id>
core::Result<Id> id_of(const core::Result<nlohmann::json>& answer, std::string_view key,
                       std::optional<Id> (*parse)(std::string_view));

}  // namespace steward::matrix
