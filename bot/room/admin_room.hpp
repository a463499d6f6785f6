// The one private room: made or found at start, its members and rules kept in memory, its fate handled (upgrade, kick, deletion,
// encryption switched on). Says things in it through the outbox. Used by command and app. I/O thread.
// Sources: admin_room.cpp (open, state), creation.cpp, admin_room_follow.cpp (events, invitations, upgrade), admin_room_speak.cpp.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "async/tasks.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "db/store.hpp"
#include "matrix/client.hpp"
#include "matrix/event.hpp"
#include "matrix/message.hpp"
#include "room/outbox.hpp"
#include "room/room_facts.hpp"

namespace steward::room {

struct AdminRoomOptions {
  core::RoomId configured;            // room.id; empty: the bot's own
  std::vector<core::UserId> admins;   // invited at start
  std::string server_name;
  std::string name = "Server maintenance";
  // Between the looks for a room whose creation was not answered.
  std::chrono::milliseconds look_again = std::chrono::seconds(2);
  // The welcome card's commands: what to type, what it does.
  std::vector<std::pair<std::string, std::string>> first_commands = {
      {"!help", "all commands on one screen"},
      {"!status", "how the server is"},
      {"!whoami", "what you may do here"},
      {"!purge-media 30d --dry-run", "what deleting old media would free"},
      {"!clean-rooms --dry-run", "which rooms nobody here is in any more"},
  };
};

class AdminRoom {
 public:
  AdminRoom(matrix::Client& client, db::SettingStore& settings, Outbox& outbox, AdminRoomOptions options);

  // Finds the room (config, store, the tag or creation intent in joined rooms) or creates it, reads its state, invites the
  // admins that are missing, posts and pins the welcome card once. Repeatable: an intent is stored before the creation, so
  // that a crash between creation and store makes no second room; a room of the bot's own that was deleted is replaced. Before
  // Outbox::run(), and again while the room cannot be used; the card is pinned in the background once it was sent.
  // not_allowed/rejected: says plainly why (encryption forced by the server, bot kicked, room gone) and what to do; observe()
  // still works then and takes an admin's invitation. Temporary errors: try again.
  boost::asio::awaitable<core::Result<void>> open();

  // Ends the background work (pinning, live messages' last edits) and waits for it, at most `grace`. Call it before this object
  // or what it was given goes; without it they are only cancelled.
  boost::asio::awaitable<void> close(std::chrono::milliseconds grace);
  // Runs beside the caller until it ends, close() or the end of this object. The task must look whether it was cancelled
  // after each wait before it touches anything.
  void in_background(std::string name, async::TaskGroup::Task task);
  // Asks whether the bot is still in a room that it takes for usable, and opens it again when not: nobody tells of the end of a
  // room that was purged before its last events were sent on (Synapse 1.106). Does nothing while Synapse cannot be asked.
  boost::asio::awaitable<void> notice_removal();
  // From a reloaded configuration; invites nobody by itself.
  void set_admins(std::vector<core::UserId> admins);

  const core::RoomId& id() const { return id_; }
  const std::set<core::UserId>& members() const { return facts_.members; }  // joined, the bot too
  bool usable() const { return usable_; }              // plain, invite-only, we are in it, not replaced
  const std::string& unusable_because() const { return why_; }
  bool is_admin(const core::UserId& user) const;       // in the config's list

  // A state event of the room, or an invitation to the bot from anywhere. Invitations: joins only the admin room's announced
  // successor or a room an admin invites to while none is usable; others are rejected and logged. Repeating an event is harmless; calls wait for each other in their order.
  boost::asio::awaitable<void> observe(matrix::Event event);
  // Whether the user is joined, once everything that arrived before this call is taken into account. Of somebody who seems not to
  // be, the homeserver is asked: a join can stay in Synapse's queue while it recovers from an absence of ours (seen with 1.106).
  // Waits as long as open() and observe() take. Errors: cancelled, and those of reading the room's state.
  boost::asio::awaitable<core::Result<bool>> is_member(core::UserId user);

  // Messages in the room; `cause` makes each unique. A text too long for an event becomes a first part and a file.
  // While the room cannot be used they wait in the outbox, unless it is encrypted or unknown: not_allowed with the reason.
  boost::asio::awaitable<core::Result<void>> say(std::string cause, matrix::Message message, matrix::Envelope envelope);
  boost::asio::awaitable<core::Result<core::EventId>> say_and_wait(std::string cause, matrix::Message message, matrix::Envelope envelope,
                                                                  std::chrono::milliseconds limit);
  // The event of what was said with `cause`, once it is sent; timeout after `limit`, not_found when it never was said.
  boost::asio::awaitable<core::Result<core::EventId>> sent(std::string cause, std::chrono::milliseconds limit);
  // A text too long for an edit is cut and says so.
  boost::asio::awaitable<core::Result<void>> edit(std::string cause, matrix::Message message, matrix::Envelope envelope, core::EventId edited);
  boost::asio::awaitable<core::Result<void>> react(std::string cause, core::EventId target, std::string key);
  // Redacts an event of ours (a reaction that is answered, a status that is over). Used by command/plans and dispatcher.
  boost::asio::awaitable<core::Result<void>> redact(std::string cause, core::EventId target, std::string reason);
  // `caption` may be empty. The upload is noted for the clean-up of old files.
  boost::asio::awaitable<core::Result<void>> send_file(std::string cause, std::string name, std::string mimetype, std::string data,
                                                      std::string caption, matrix::Envelope envelope);
  // The same for a PNG, shown as a picture. Nothing was said when it fails: the cause is still free for a text in its place.
  boost::asio::awaitable<core::Result<void>> send_picture(std::string cause, std::string name, std::string data, int width, int height,
                                                         std::string caption, matrix::Envelope envelope);

 private:
  // creation.cpp
  boost::asio::awaitable<core::Result<void>> locate();
  boost::asio::awaitable<core::Result<void>> find_or_create();
  boost::asio::awaitable<core::Result<std::optional<core::RoomId>>> find_own();
  boost::asio::awaitable<core::Result<bool>> is_ours(core::RoomId room, std::string instance);
  boost::asio::awaitable<core::Result<core::RoomId>> create(std::string instance);
  boost::asio::awaitable<core::Result<void>> refuse_if_encrypted(core::RoomId room);
  boost::asio::awaitable<core::Result<std::string>> instance();
  boost::asio::awaitable<core::Result<void>> remember(core::RoomId room);

  // admin_room.cpp
  class Turn;
  boost::asio::awaitable<core::Result<void>> open_now();
  boost::asio::awaitable<core::Result<void>> be_joined();
  boost::asio::awaitable<core::Result<void>> replace_deleted();
  boost::asio::awaitable<core::Result<void>> read_state();
  boost::asio::awaitable<void> move_in();
  boost::asio::awaitable<void> invite_missing_admins();
  boost::asio::awaitable<void> welcome();
  boost::asio::awaitable<void> pin_welcome(std::string cause);
  boost::asio::awaitable<void> pin(core::EventId event);
  bool closed_by_admin() const;
  void assess();

  // admin_room_follow.cpp
  boost::asio::awaitable<void> take_invitation(matrix::Event event);
  boost::asio::awaitable<void> adopt(matrix::Event invitation);
  boost::asio::awaitable<void> rejoin();
  boost::asio::awaitable<void> explain_and_leave(core::RoomId room);
  boost::asio::awaitable<void> reject(matrix::Event invitation, std::string why);
  boost::asio::awaitable<void> observe_own_room(matrix::Event event);
  boost::asio::awaitable<void> follow_tombstone();
  boost::asio::awaitable<void> warn_of_tombstone();
  boost::asio::awaitable<void> join_successor();
  boost::asio::awaitable<core::Result<bool>> succeeds_ours(core::RoomId room);
  boost::asio::awaitable<void> move_to(core::RoomId room);
  boost::asio::awaitable<void> leave(core::RoomId room);
  boost::asio::awaitable<void> tell_plainly(core::RoomId room, std::string cause, std::string text);

  // admin_room_speak.cpp
  core::Result<core::RoomId> place_to_speak() const;
  core::Result<core::RoomId> place_of_events() const;
  boost::asio::awaitable<core::Result<void>> upload_and_post(std::string cause, matrix::FileInfo file, std::string data, matrix::Envelope envelope);
  boost::asio::awaitable<core::Result<void>> attach_whole_text(std::string cause, std::string text, matrix::Envelope envelope);

  matrix::Client& client_;
  db::SettingStore& settings_;
  Outbox& outbox_;
  AdminRoomOptions options_;
  core::RoomId id_;
  core::RoomId successor_;  // announced by a tombstone of an admin, not joined yet
  RoomFacts facts_;
  bool usable_ = false;
  std::string why_ = "the room was not opened yet";
  std::optional<core::Error> creation_refused_;  // in this life: another room would only be encrypted, too
  std::shared_ptr<Turn> last_turn_;
  async::TaskGroup background_;
  int rejected_ = 0;  // invitations since the last line about them in the log
  std::chrono::steady_clock::time_point rejection_logged_{};
};

}  // namespace steward::room
