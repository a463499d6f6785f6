// One message that is edited while something runs: at 2, 5, 10 s, then every max(15 s, a tenth of the elapsed time), at most ten
// minutes apart, and at each change of state; only when the text changed. Survives a restart: the cause names the job.
// Used by the dispatcher, one per running job. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "core/ids.hpp"
#include "db/store.hpp"
#include "matrix/message.hpp"
#include "room/admin_room.hpp"

namespace steward::room {

// When the next edit is due, counted from the start, where the last one (or the post itself, 0) was at `last`. Pure, for tests.
std::chrono::milliseconds next_edit_after(std::chrono::milliseconds last);

class LiveMessage {
 public:
  // `cause` is stable for the job ("live:41"): the first text is posted once, edits follow it, also after a restart.
  LiveMessage(AdminRoom& room, db::OutboxStore& outbox, std::string cause, matrix::Envelope envelope);
  ~LiveMessage();
  LiveMessage(const LiveMessage&) = delete;
  LiveMessage& operator=(const LiveMessage&) = delete;

  // Shows `message` now if `now` is set (a change of state), else when the next edit is due; until then a newer one takes its
  // place. Never waits for the send: at most one edit is under way, what comes meanwhile follows it as one edit. The last
  // text is shown at once when this object goes, tried for a minute in the room's background.
  boost::asio::awaitable<void> show(matrix::Message message, bool now);
  // The event that carries the message, empty until it was sent.
  boost::asio::awaitable<core::EventId> event();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace steward::room
