// What happens to the room: members, rules, removal, upgrade; and invitations to the bot from anywhere.
#include "core/log.hpp"
#include "core/secret.hpp"
#include "room/admin_room.hpp"
#include "room/invitation.hpp"
#include "room/json_fields.hpp"
#include "room/turn.hpp"

namespace steward::room {

namespace asio = boost::asio;
using core::Result;
using core::RoomId;
using core::UserId;

namespace {

const matrix::Envelope notice;

constexpr std::string_view no_encryption =
    "This room is encrypted, and this version of the bot cannot read encrypted messages. Please invite it to a room without "
    "encryption (a room keeps its encryption for ever, so it has to be a new one).";

}  // namespace

asio::awaitable<void> AdminRoom::observe(matrix::Event event) {
  if (!event.state_key) co_return;
  const auto turn = co_await Turn::take(*this);
  if (!turn) co_return;
  const bool about_us = event.type == "m.room.member" && *event.state_key == client_.user().str();
  if (about_us && event.membership == "invite") {
    co_await take_invitation(std::move(event));
  } else if (event.room_id == id_) {
    co_await observe_own_room(std::move(event));
  }
}

asio::awaitable<Result<bool>> AdminRoom::is_member(UserId user) {
  const auto turn = co_await Turn::take(*this);
  if (!turn) co_return core::fail(core::Code::cancelled, "Looking for a member was stopped");
  if (facts_.members.contains(user)) co_return true;
  if (!usable_) co_return false;
  auto read = co_await read_state();
  if (!read) co_return std::unexpected(read.error());
  co_return facts_.members.contains(user);
}

asio::awaitable<void> AdminRoom::take_invitation(matrix::Event event) {
  using Act = InvitationAnswer::Act;
  InvitationSetting setting;
  setting.by_admin = is_admin(event.sender);
  setting.have_room = usable_;
  setting.room = id_;
  setting.successor = successor_;
  InvitationAnswer answer = answer_to(event, setting);
  switch (answer.act) {
    case Act::reject:
      co_await reject(std::move(event), std::move(answer.why));
      break;
    case Act::rejoin:
      co_await rejoin();
      break;
    case Act::join_successor:
      co_await join_successor();
      break;
    case Act::adopt:
      co_await adopt(std::move(event));
      break;
    case Act::explain_encrypted:
      co_await explain_and_leave(event.room_id);
      break;
  }
}

// Anybody on the server can invite: one line a minute in the log at most. An admin gets an answer in the admin room.
asio::awaitable<void> AdminRoom::reject(matrix::Event invitation, std::string why) {
  co_await leave(invitation.room_id);
  ++rejected_;
  const auto now = std::chrono::steady_clock::now();
  if (now - rejection_logged_ >= std::chrono::minutes(1)) {
    core::log_warning("room", "rejected {} invitation(s), the last to {} by {}: {}", rejected_, invitation.room_id.str(),
                      invitation.sender.str(), why);
    rejected_ = 0;
    rejection_logged_ = now;
  }
  if (!is_admin(invitation.sender) || !usable_) co_return;
  matrix::Text text;
  text.push_back(matrix::plain("I declined the invitation of "));
  text.push_back(matrix::code(invitation.sender.str()));
  text.push_back(matrix::plain(" to "));
  text.push_back(matrix::code(invitation.room_id.str()));
  text.push_back(matrix::plain(": " + why + "."));
  matrix::Message message;
  message.paragraph(std::move(text));
  co_await say("declined:" + invitation.event_id.str(), std::move(message), notice);
}

asio::awaitable<void> AdminRoom::leave(RoomId room) {
  auto left = co_await client_.leave(room);
  if (!left) core::log_debug("room", "leaving {}: {}", room.str(), describe(left.error()));
}

// Somebody took us out of the admin room and an admin lets us in again.
asio::awaitable<void> AdminRoom::rejoin() {
  auto joined = co_await client_.join(id_, std::vector<std::string>(1, options_.server_name));
  if (!joined) {
    core::log_warning("room", "could not join the admin room {} again: {}", id_.str(), describe(joined.error()));
    co_return;
  }
  const bool was_usable = usable_;
  auto read = co_await read_state();
  if (!read) {
    core::log_warning("room", "the admin room cannot be read: {}", describe(read.error()));
  } else if (usable_ && !was_usable) {
    core::log_info("room", "back in the admin room {}", id_.str());
    co_await move_in();
  }
}

// The room an admin invites to, while we have none.
asio::awaitable<void> AdminRoom::adopt(matrix::Event invitation) {
  const RoomId room = invitation.room_id;
  std::vector<std::string> via(1, std::string(core::server_of(invitation.sender)));
  auto joined = co_await client_.join(room, std::move(via));
  if (!joined) {
    core::log_warning("room", "could not join {}: {}", room.str(), describe(joined.error()));
    co_return;
  }
  auto state = co_await client_.state(room);
  if (!state) {
    core::log_warning("room", "{} cannot be read: {}", room.str(), describe(state.error()));
    co_return;
  }
  const RoomFacts facts = facts_from(*state, client_.user());
  if (facts.encrypted) {
    co_await explain_and_leave(room);
    co_return;
  }
  std::string why = why_unusable(facts);
  // The invitation came by the transaction's word alone; that the inviter is there is the homeserver's.
  if (why.empty() && !facts.members.contains(invitation.sender)) why = "the inviter is not in the room";
  if (!why.empty()) {
    co_await reject(std::move(invitation), std::move(why));
    co_return;
  }
  if (!id_.empty()) co_await outbox_.abandon(id_, "the admin room is another one now");
  co_await move_to(room);
}

asio::awaitable<void> AdminRoom::explain_and_leave(RoomId room) {
  auto joined = co_await client_.join(room, std::vector<std::string>(1, options_.server_name));
  if (joined) co_await tell_plainly(room, "encrypted", std::string(no_encryption));
  core::log_warning("room", "left {}: it is encrypted", room.str());
  co_await leave(std::move(room));
}

asio::awaitable<void> AdminRoom::observe_own_room(matrix::Event event) {
  const bool was_usable = usable_;
  const core::EventId cause = event.event_id;
  if (event.type == "m.room.tombstone") {
    // From the homeserver, not from the transaction: a forged tombstone would lead us into a foreign room.
    auto read = co_await read_state();
    if (!read) core::log_warning("room", "the admin room cannot be read: {}", describe(read.error()));
    if (read && !facts_.tombstone.empty()) co_await follow_tombstone();
    co_return;
  }
  apply(facts_, event, client_.user());
  assess();
  if (was_usable == usable_ || !facts_.joined) co_return;
  std::string text = usable_ ? "This room can be used again." : "No commands here any more: " + why_ + ".";
  if (!usable_ && facts_.encrypted) text = no_encryption;
  co_await tell_plainly(id_, cause.str(), std::move(text));
}

// Past the outbox, which holds an unusable room's messages: the one sentence that says why must get out.
asio::awaitable<void> AdminRoom::tell_plainly(RoomId room, std::string cause, std::string text) {
  matrix::Message message;
  message.paragraph(std::move(text));
  const std::string transaction = "steward-why-" + core::sha256_hex(room.str() + cause).substr(0, 24);
  std::string content = matrix::message_content(message, matrix::Envelope());
  auto sent = co_await client_.send(room, "m.room.message", transaction, std::move(content));
  if (!sent) core::log_warning("room", "could not say why in {}: {}", room.str(), describe(sent.error()));
}

asio::awaitable<void> AdminRoom::follow_tombstone() {
  if (!is_admin(facts_.tombstone_by)) {
    co_await warn_of_tombstone();
    co_return;
  }
  if (facts_.replacement.empty() || facts_.replacement == id_) co_return;
  successor_ = facts_.replacement;
  outbox_.hold(successor_);
  co_await join_successor();
}

asio::awaitable<void> AdminRoom::warn_of_tombstone() {
  core::log_warning("room", "{} says the admin room {} is replaced; ignored, not an admin of the bot",
                    facts_.tombstone_by.str(), id_.str());
  matrix::Text text;
  text.push_back(matrix::code(facts_.tombstone_by.str()));
  text.push_back(matrix::plain(" says that this room is replaced. I do not follow: only an admin of the bot can move me."));
  matrix::Message message;
  message.paragraph(std::move(text));
  co_await say("tombstone:" + facts_.tombstone.str(), std::move(message), notice);
}

// 403 is the usual answer: an upgraded private room carries no invitations over. Then the invitation to it brings us here again.
asio::awaitable<void> AdminRoom::join_successor() {
  const RoomId room = successor_;
  std::vector<std::string> via(1, std::string(core::server_of(facts_.tombstone_by)));
  auto joined = co_await client_.join(room, std::move(via));
  if (!joined) {
    core::log_warning("room", "waiting for an invitation to {}, which replaces the admin room: {}", room.str(),
                      describe(joined.error()));
    co_return;
  }
  auto ours = co_await succeeds_ours(room);
  if (!ours) {
    core::log_warning("room", "{} cannot be read: {}", room.str(), describe(ours.error()));
    co_return;
  }
  if (*ours) {
    co_await move_to(room);
    co_return;
  }
  core::log_warning("room", "left {}: it does not name {} as its predecessor", room.str(), id_.str());
  successor_ = RoomId();
  facts_.replacement = RoomId();
  assess();
  co_await leave(room);
  co_await outbox_.abandon(room, "the room that was to replace the admin room is not its successor");
}

asio::awaitable<Result<bool>> AdminRoom::succeeds_ours(RoomId room) {
  auto creation = co_await client_.state_content(std::move(room), "m.room.create", "");
  if (!creation) co_return std::unexpected(creation.error());
  co_return text_at(creation->value_or(""), "/predecessor/room_id") == id_.str();
}

asio::awaitable<void> AdminRoom::move_to(RoomId room) {
  const RoomId before = id_;
  id_ = room;
  successor_ = RoomId();
  auto kept = co_await remember(room);
  if (!kept) core::log_warning("room", "the new admin room was not noted: {}", describe(kept.error()));
  auto read = co_await read_state();
  if (!read) core::log_warning("room", "the admin room cannot be read: {}", describe(read.error()));
  if (!usable_) {
    if (facts_.encrypted) co_await tell_plainly(room, "moved", std::string(no_encryption));
    co_return;
  }
  core::log_info("room", "the admin room is now {}, before it was {}", room.str(), before.empty() ? "none" : before.str());
  if (!before.empty()) {
    matrix::Message message;
    message.paragraph("This is the admin room now.");
    co_await say("moved:" + room.str(), std::move(message), notice);
  }
  co_await move_in();
}

}  // namespace steward::room
