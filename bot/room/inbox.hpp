// What arrives by transaction: the trust filter (facts/matrix-protocol.md §3.5 order), then the store, before the ack.
// Everything that is not for us is dropped in memory without a database write. Used by app (receive) and command's dispatcher
// (missed). I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <vector>

#include "async/tasks.hpp"
#include "core/error.hpp"
#include "db/store.hpp"
#include "matrix/client.hpp"
#include "matrix/event.hpp"
#include "matrix/glance.hpp"
#include "room/admin_room.hpp"

namespace steward::room {

class Inbox {
 public:
  struct Hooks {
    std::function<bool(const matrix::Event&)> looks_like_command;  // "!x", or a mention of the bot: command/parser knows
    std::function<bool()> plan_waits;                              // then plain words are stored too
  };
  Inbox(db::InboxStore& store, db::OutboxStore& outbox, AdminRoom& room, core::UserId bot, Hooks hooks, async::Signal& arrived);

  // What judge() would not drop at the first look: so much of a transaction need be parsed.
  matrix::Interest interest() const;

  // Called by the appservice before the ack. An error means: answer 503. One commit at most, none when nothing is for us.
  // Who reads the inbox gives state events and invitations to AdminRoom::observe.
  boost::asio::awaitable<core::Result<void>> receive(std::vector<matrix::Event> events);

  // Reads the room's newest history and returns the commands of people that should be in the inbox and are not: out of the
  // last `window` events, since the bot joined, at most a week old (the inbox forgets), newest last. The dispatcher asks to
  // send them again.
  boost::asio::awaitable<core::Result<std::vector<matrix::Event>>> missed(matrix::Client& client, int window);

  // Whether the event is worth storing; public for tests.
  enum class Verdict { drop, store, needs_lookup };  // needs_lookup: a reaction, redaction or edit; only if it points at an event we hold
  Verdict judge(const matrix::Event& event) const;

 private:
  Verdict judge_message(const matrix::Event& event) const;
  // Whether the event `target` is in the inbox, sent by us, or about to be stored with `batch`.
  boost::asio::awaitable<core::Result<bool>> held(core::EventId target, const std::vector<db::InboxEvent>& batch);
  bool is_missable(const matrix::Event& event) const;

  db::InboxStore& store_;
  db::OutboxStore& outbox_;
  AdminRoom& room_;
  core::UserId bot_;
  Hooks hooks_;
  async::Signal& arrived_;
};

}  // namespace steward::room
