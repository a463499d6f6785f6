// How the admin client's methods reach Synapse, and tolerant readers of its answers. Only for the .cpp files of this
// layer.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "http/retry.hpp"
#include "synapse/admin_client.hpp"

namespace steward::synapse {

using Path = std::vector<std::string>;
using Query = std::vector<std::pair<std::string, std::string>>;

// A class with a constructor, not an aggregate: it travels through coroutines (g++ 12).
class Ask {
 public:
  // `doing` ends the sentence "Could not …". The path starts after /_synapse/admin.
  Ask(std::string doing, std::string method, Path path);

  Ask body(std::string json) &&;
  Ask query(std::string name, std::string value) &&;
  Ask once_only() &&;  // a repetition may do it twice: only tried again when nothing was sent
  Ask tries(int attempts) &&;
  Ask within(std::chrono::milliseconds deadline) &&;
  Ask without_token() &&;
  Ask outside_admin_path() &&;

  http::Call call(const AdminOptions& options) &&;

 private:
  std::string doing_;
  http::Request request_;
  Path path_;
  Query query_;
  bool with_token_ = true;
  bool in_admin_path_ = true;
  http::Repeat repeat_ = http::Repeat::freely;
  http::Patience patience_;
  std::chrono::milliseconds deadline_ = std::chrono::seconds(60);
};

Ask get(std::string doing, Path path);

// Sends the call; a refusal for want of rights or of the endpoint says in `next` how to mend it.
boost::asio::awaitable<core::Result<http::Response>> send(http::Transport& transport, http::Call call,
                                                          AdminOptions options);
// The same, and the answer's JSON object; protocol when it is none.
boost::asio::awaitable<core::Result<nlohmann::json>> perform(http::Transport& transport, http::Call call,
                                                             AdminOptions options);

// "It is not there", as opposed to an endpoint that is not there.
bool is_absent(const core::Error& error);
std::unexpected<core::Error> misunderstood(std::string doing, std::string why);

// Readers of one field; absent or of another type: the empty value. Synapse's booleans come as 0 and 1 in places.
std::string text_field(const nlohmann::json& object, std::string_view key);
bool flag_field(const nlohmann::json& object, std::string_view key);
std::optional<bool> optional_flag(const nlohmann::json& object, std::string_view key);
std::optional<std::int64_t> number_field(const nlohmann::json& object, std::string_view key);
// The strings of the array under `key`; others are left out.
std::vector<std::string> texts_field(const nlohmann::json& object, std::string_view key);
std::vector<core::UserId> users_field(const nlohmann::json& object, std::string_view key);

}  // namespace steward::synapse
