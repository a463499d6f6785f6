// Typed calls of Synapse's admin API (facts/synapse-admin-api.md), made with the as_token WITHOUT user_id (the
// masquerade parameter is also a filter of those endpoints) or with admin_token under MAS. Used by commands and app.
// I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/secret.hpp"
#include "core/units.hpp"
#include "http/transport.hpp"

namespace steward::synapse {

struct Version {
  int major = 0, minor = 0, patch = 0;
  std::string text;
  auto operator<=>(const Version& other) const {
    return std::tie(major, minor, patch) <=> std::tie(other.major, other.minor, other.patch);
  }
  bool operator==(const Version& other) const { return (*this <=> other) == 0; }
};
std::optional<Version> parse_version(std::string_view text);  // "1.163.2", "1.164.0rc1 (b=...)"

struct AdminOptions {
  core::Secret token;
  bool own_admin_token = false;  // MAS: admin_token instead of the as_token
};

struct RoomInfo {
  core::RoomId room_id;
  std::string name, canonical_alias, version, creator, encryption, join_rules, room_type, history_visibility;
  std::int64_t joined_members = 0, joined_local_members = 0, state_events = 0;
  bool is_public = false, federatable = false;
  std::optional<bool> forgotten, tombstoned;
};
struct RoomPage {
  std::vector<RoomInfo> rooms;
  std::int64_t total = 0;
  std::optional<std::int64_t> next;
};

struct UserInfo {
  core::UserId user;
  std::string display_name;
  bool admin = false, deactivated = false, locked = false, suspended = false, guest = false, shadow_banned = false;
  std::string appservice_id;
};

struct StateEvent {
  std::string type, state_key, content;  // content: compact JSON, as hostile as its sender
  core::UserId sender;
  std::int64_t sent_ms = 0;     // by the sender's server
  bool names_servers = false;   // content.via has servers: a m.space.child without is a removed one (Matrix 1.18, Spaces)
};

struct DeleteStatus {
  std::string delete_id, status;  // scheduled, active, complete, failed (older: purging, shutting_down)
  std::vector<core::UserId> kicked, failed_to_kick;
};
struct TaskInfo {
  std::string id, action, status, resource_id, error;
};

// Errors as http::call maps them: errcode in Error::source. 403 "not a server admin" says in `next` exactly how to mend
// it. Calls that delete are never repeated when one may have arrived: they end as timeout or in_doubt and are to be
// looked up.
class AdminClient {
 public:
  AdminClient(http::Transport& transport, http::Transport& media_transport, AdminOptions options);

  boost::asio::awaitable<core::Result<Version>> server_version();  // no token needed
  boost::asio::awaitable<core::Result<bool>> uses_mas();           // 404 on v1/register
  boost::asio::awaitable<core::Result<void>> check_rights();  // GET rooms?limit=1: not_allowed tells the three ways
  boost::asio::awaitable<core::Result<bool>> health();        // GET /health

  // Media
  boost::asio::awaitable<core::Result<bool>> delete_local_media(core::MediaId media);  // false: it was not there
  boost::asio::awaitable<core::Result<std::int64_t>> purge_remote_media(
      std::int64_t before_ms);  // rows deleted; may run long
  boost::asio::awaitable<core::Result<std::vector<core::MediaId>>> room_media(
      core::RoomId room);  // unencrypted events only

  // Rooms
  struct RoomQuery {
    std::string search_term, order_by = "name";
    bool backward = false;
    std::optional<bool> public_rooms, empty_rooms;  // never together with search_term (Synapse bug): Code::internal
    std::int64_t from = 0, limit = 100;
  };
  boost::asio::awaitable<core::Result<RoomPage>> rooms(RoomQuery query);
  boost::asio::awaitable<core::Result<RoomInfo>> room(core::RoomId room);
  boost::asio::awaitable<core::Result<std::vector<core::UserId>>> room_members(core::RoomId room);
  boost::asio::awaitable<core::Result<std::vector<StateEvent>>> room_state(core::RoomId room);  // the current one, whole
  struct DeleteRequest {
    bool block = false, purge = true, force_purge = false;
    std::string message, new_room_user;
  };
  boost::asio::awaitable<core::Result<std::string>> delete_room(core::RoomId room, DeleteRequest request);  // delete_id
  boost::asio::awaitable<core::Result<std::vector<DeleteStatus>>> delete_status(
      core::RoomId room);  // empty: none (404)
  // Nobody of this server can join a blocked room. Both may be repeated; the room need not exist.
  boost::asio::awaitable<core::Result<void>> set_room_block(core::RoomId room, bool block);
  boost::asio::awaitable<core::Result<std::vector<TaskInfo>>> tasks(std::string resource_id,
                                                                    std::vector<std::string> statuses);

  // Users
  boost::asio::awaitable<core::Result<std::optional<UserInfo>>> user(core::UserId user);  // nullopt: unknown
  boost::asio::awaitable<core::Result<void>> set_admin(core::UserId user, bool admin);
  boost::asio::awaitable<core::Result<std::int64_t>> user_count();

  // Server
  struct BackgroundUpdates {
    bool enabled = true;
    std::vector<std::string> running;
  };
  boost::asio::awaitable<core::Result<BackgroundUpdates>> background_updates();
  boost::asio::awaitable<core::Result<void>> enable_background_updates();  // also wakes Synapse's updater
  // A message of the server's own to one user; made with a transaction id, so that a repetition sends nothing twice. rejected:
  // server notices are not set up in homeserver.yaml.
  boost::asio::awaitable<core::Result<void>> send_server_notice(core::UserId user, std::string text, std::string transaction);
  struct Destinations {
    std::int64_t total = 0, failing = 0;
  };
  boost::asio::awaitable<core::Result<Destinations>> destinations();

 private:
  http::Transport& transport_;
  http::Transport& media_transport_;
  AdminOptions options_;
};

}  // namespace steward::synapse
