// Sends what the bot says, each cause exactly once: a row in the store first, then the send with the row's transaction id.
// Keeps the order of a room; backs off while Synapse is away; gives up on a room that refuses us (403) without a loop. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/tasks.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "db/store.hpp"
#include "matrix/client.hpp"

namespace steward::room {

class Outbox {
 public:
  Outbox(boost::asio::any_io_executor io, matrix::Client& client, db::OutboxStore& store);
  ~Outbox();

  // Stores it (committed when this returns) and wakes the sender. A cause that exists already is not stored again.
  boost::asio::awaitable<core::Result<void>> post(std::string cause, core::RoomId room, std::string type, std::string content);
  // The same, then waits for the event id; timeout when it was not sent by then (it stays in the queue), rejected when it was
  // given up. The id is empty for a reaction that was there already. Needs run() beside it.
  boost::asio::awaitable<core::Result<core::EventId>> post_and_wait(std::string cause, core::RoomId room, std::string type,
                                                                   std::string content, std::chrono::milliseconds limit);
  // Waits for the event id of a cause that was posted; errors as above, not_found when it never was.
  boost::asio::awaitable<core::Result<core::EventId>> wait_for(std::string cause, std::chrono::milliseconds limit);
  // The sender; until cancelled. To be started after the first AdminRoom::open(), which holds a room that is not fit to speak
  // in: started before, it would send there what waits since the last life. Rows that were attempted, or wait since before the start, are first looked for in the room by
  // unsigned.transaction_id when they are over 20 h old, or any of them with `search_first` (an unclean stop on Synapse < 1.141,
  // which forgets transaction ids at its restart).
  boost::asio::awaitable<void> run(bool search_first);
  // Waits until nothing waits any more but in held rooms, at most `limit` (shutdown, exec). Needs run() beside it.
  boost::asio::awaitable<bool> drain(std::chrono::milliseconds limit);

  // A held room's rows wait; others go on. The admin room holds itself while it cannot be used (we were removed, it became
  // public or encrypted) and its announced successor until the bot is in it.
  void hold(const core::RoomId& room);
  void release(const core::RoomId& room);
  // Gives up what waits for that room.
  boost::asio::awaitable<void> abandon(core::RoomId room, std::string why);

  // Called after somebody deleted the bot's device and it was made again; `cause` is the row that found out.
  void on_device_made(std::function<void(std::string cause)> tell);

  boost::asio::any_io_executor executor() const;
  // Since when sends to Synapse fail; nullopt when all is well. For !status and fallbacks.
  std::optional<std::chrono::steady_clock::time_point> failing_since() const;

 private:
  friend class OutboxSender;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace steward::room
