// The client-server API as the chat user: every call carries user_id and device_id (with the as_token), because a send
// without the device posted twice after a Synapse restart. Used by room and app. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/secret.hpp"
#include "http/transport.hpp"
#include "matrix/event.hpp"

namespace steward::matrix {

struct ClientOptions {
  core::Secret token;  // as_token
  core::UserId user;   // chat user
  std::string device_id;
  std::string appservice_id;
  // Retry of temporary failures (connection, 5xx, 429 with retry_after_ms) inside one call, with back-off.
  int attempts = 4;
  std::chrono::milliseconds first_delay = std::chrono::milliseconds(500);
};

// Matrix errors keep their errcode in Error::source; code by status: 401/403 not_allowed, 404 not_found, 400/409/413
// rejected, 429/5xx unavailable after the retries. GET, PUT, sends with a transaction id and what is the same twice
// (register, join, leave, receipts) are retried. createRoom, invite and uploads only when nothing was sent or on 429:
// they end as timeout or in_doubt (also for 500, 502, 504) when they may have been done.
class Client {
 public:
  Client(http::Transport& transport, ClientOptions options);
  const core::UserId& user() const { return options_.user; }

  // Identity. register_user: success also when it exists (M_USER_IN_USE). `localpart` may be the sender's.
  boost::asio::awaitable<core::Result<void>> register_user(std::string localpart);
  // Makes the device or renames it. Success also on a Synapse before 1.121, which cannot make it (404 M_NOT_FOUND) and
  // ignores device_id everywhere; whoami() tells by an empty device_id.
  boost::asio::awaitable<core::Result<void>> put_device(std::string display_name);
  struct WhoAmI {
    core::UserId user;
    std::string device_id;
  };
  boost::asio::awaitable<core::Result<WhoAmI>> whoami();
  boost::asio::awaitable<core::Result<WhoAmI>> whoami_sender();  // without user_id: the sender's id
  boost::asio::awaitable<core::Result<void>> set_display_name(std::string name);
  boost::asio::awaitable<core::Result<std::chrono::milliseconds>> ping(
      std::string transaction_id);                                            // Synapse calls us back
  boost::asio::awaitable<core::Result<std::vector<std::string>>> versions();  // unauthenticated

  // Rooms
  boost::asio::awaitable<core::Result<core::RoomId>> create_room(std::string request_json);
  boost::asio::awaitable<core::Result<void>> invite(core::RoomId room, core::UserId user, std::string reason);
  boost::asio::awaitable<core::Result<void>> join(core::RoomId room, std::vector<std::string> via);
  boost::asio::awaitable<core::Result<void>> leave(core::RoomId room);
  boost::asio::awaitable<core::Result<std::vector<core::RoomId>>> joined_rooms();
  boost::asio::awaitable<core::Result<std::vector<core::UserId>>> joined_members(core::RoomId room);
  boost::asio::awaitable<core::Result<std::vector<Event>>> state(core::RoomId room);
  boost::asio::awaitable<core::Result<std::optional<std::string>>> state_content(core::RoomId room, std::string type,
                                                                                 std::string key);
  boost::asio::awaitable<core::Result<core::EventId>> put_state(core::RoomId room, std::string type, std::string key,
                                                                std::string content);
  boost::asio::awaitable<core::Result<std::optional<core::RoomId>>> resolve_alias(core::RoomAlias alias);
  boost::asio::awaitable<core::Result<void>> put_tag(core::RoomId room, std::string tag);
  boost::asio::awaitable<core::Result<std::vector<std::string>>> tags(core::RoomId room);

  // Events
  boost::asio::awaitable<core::Result<core::EventId>> send(core::RoomId room, std::string type,
                                                           std::string transaction_id, std::string content);
  boost::asio::awaitable<core::Result<core::EventId>> redact(core::RoomId room, core::EventId event,
                                                             std::string transaction_id, std::string reason);
  boost::asio::awaitable<core::Result<Event>> event(core::RoomId room, core::EventId event);
  struct Page {
    std::vector<Event> events;
    std::string end;
  };
  boost::asio::awaitable<core::Result<Page>> messages_backward(core::RoomId room, std::string from,
                                                               int limit);  // newest first
  boost::asio::awaitable<core::Result<void>> typing(core::RoomId room, bool on);
  boost::asio::awaitable<core::Result<void>> read_receipt(core::RoomId room, core::EventId event);
  // Uploads and returns the mxc URI.
  boost::asio::awaitable<core::Result<std::string>> upload(std::string name, std::string mimetype, std::string data);
  boost::asio::awaitable<core::Result<core::RoomId>> direct_room(core::UserId user, std::string request_json);

 private:
  http::Transport& transport_;
  ClientOptions options_;
};

}  // namespace steward::matrix
