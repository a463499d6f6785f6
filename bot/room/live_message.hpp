// One message that is edited while something runs: at 2, 5, 10 s, then every max(15 s, a tenth of the elapsed time), at most ten
// minutes apart, and at each change of state; only when the text changed. Survives a restart: the cause names the job. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "core/ids.hpp"
#include "matrix/message.hpp"
#include "room/admin_room.hpp"

namespace steward::room {

// When the next edit is due, counted from the start; `edits` were made so far. Pure, for tests.
std::chrono::milliseconds next_edit_after(std::chrono::milliseconds elapsed, int edits);

class LiveMessage {
 public:
  // `cause` is stable for the job ("live:41"): the first text is posted once, edits follow it, also after a restart.
  LiveMessage(AdminRoom& room, db::OutboxStore& outbox, std::string cause, matrix::Envelope envelope);

  // Shows `message` now if an edit is due or `now` is set, else remembers it. Never waits for the send.
  boost::asio::awaitable<void> show(matrix::Message message, bool now);
  // The event that carries the message, empty until it was sent.
  boost::asio::awaitable<core::EventId> event();

 private:
  AdminRoom& room_;
  db::OutboxStore& outbox_;
  std::string cause_;
  matrix::Envelope envelope_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_{};
  int edits_ = 0;
  std::string last_body_;
};

}  // namespace steward::room
