// The one private room: made or found at start, its members and rules kept in memory, its fate handled (upgrade, kick, deletion,
// encryption switched on). Says things in it through the outbox. Used by command and app. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "db/store.hpp"
#include "matrix/client.hpp"
#include "matrix/event.hpp"
#include "matrix/message.hpp"
#include "room/outbox.hpp"

namespace steward::room {

struct AdminRoomOptions {
  core::RoomId configured;            // room.id; empty: the bot's own
  std::vector<core::UserId> admins;   // invited at start
  std::string server_name;
  std::string name = "Server maintenance";
};

class AdminRoom {
 public:
  AdminRoom(matrix::Client& client, db::SettingStore& settings, Outbox& outbox, AdminRoomOptions options);

  // Finds the room (config, store, the tag or creation intent in joined rooms) or creates it, reads its state, invites the
  // admins that are missing, posts and pins the welcome card once. Repeatable: an intent is stored before the creation, so
  // that a crash between creation and store makes no second room.
  // not_allowed/rejected: says plainly why (encryption forced by the server, bot kicked, room gone) and what to do.
  boost::asio::awaitable<core::Result<void>> open();

  const core::RoomId& id() const { return id_; }
  const std::set<core::UserId>& members() const { return members_; }  // joined
  bool usable() const { return usable_; }              // plain, invite-only, we are in it
  const std::string& unusable_because() const { return why_; }

  // A state event of the room, or an invitation to the bot from anywhere. Invitations: joins only the admin room's announced
  // successor or a room an admin invites to while none is usable; others are rejected and logged.
  boost::asio::awaitable<void> observe(matrix::Event event);

  // Messages in the room; `cause` makes each unique. A text too long for an event becomes a first part and a file.
  boost::asio::awaitable<core::Result<void>> say(std::string cause, matrix::Message message, matrix::Envelope envelope);
  boost::asio::awaitable<core::Result<core::EventId>> say_and_wait(std::string cause, matrix::Message message, matrix::Envelope envelope,
                                                                  std::chrono::milliseconds limit);
  boost::asio::awaitable<core::Result<void>> edit(std::string cause, matrix::Message message, matrix::Envelope envelope, core::EventId edited);
  boost::asio::awaitable<core::Result<void>> react(std::string cause, core::EventId target, std::string key);
  boost::asio::awaitable<core::Result<void>> send_file(std::string cause, std::string name, std::string mimetype, std::string data,
                                                      std::string caption, matrix::Envelope envelope);

 private:
  matrix::Client& client_;
  db::SettingStore& settings_;
  Outbox& outbox_;
  AdminRoomOptions options_;
  core::RoomId id_;
  core::RoomId successor_;  // announced by a tombstone of an admin
  std::set<core::UserId> members_;
  bool usable_ = false;
  std::string why_;
};

}  // namespace steward::room
