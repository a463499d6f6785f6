// What arrives by transaction: the trust filter (facts/matrix-protocol.md §3.5 order), then the store, before the ack.
// Everything that is not for us is dropped in memory without a database write. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <vector>

#include "async/tasks.hpp"
#include "core/error.hpp"
#include "db/store.hpp"
#include "matrix/client.hpp"
#include "matrix/event.hpp"
#include "room/admin_room.hpp"

namespace steward::room {

class Inbox {
 public:
  struct Hooks {
    std::function<bool(const matrix::Event&)> looks_like_command;  // "!x", or a mention of the bot: command/parser knows
    std::function<bool()> plan_waits;                              // then plain words are stored too
  };
  Inbox(db::InboxStore& store, db::OutboxStore& outbox, AdminRoom& room, core::UserId bot, Hooks hooks, async::Signal& arrived);

  // Called by the appservice before the ack. An error means: answer 503.
  boost::asio::awaitable<core::Result<void>> receive(std::vector<matrix::Event> events);

  // Reads the room's newest history and returns the events of people that should be in the inbox and are not: events of
  // the last `window` events, newest last. The dispatcher asks to send them again.
  boost::asio::awaitable<core::Result<std::vector<matrix::Event>>> missed(matrix::Client& client, int window);

  // Whether the event is worth storing; public for tests.
  enum class Verdict { drop, store, needs_lookup };  // needs_lookup: a reaction or redaction; only if it points at ours
  Verdict judge(const matrix::Event& event) const;

 private:
  db::InboxStore& store_;
  db::OutboxStore& outbox_;
  AdminRoom& room_;
  core::UserId bot_;
  Hooks hooks_;
  async::Signal& arrived_;
};

}  // namespace steward::room
