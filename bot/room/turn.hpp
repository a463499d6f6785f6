// One caller of AdminRoom::open and observe at a time, in the order they came: both change which room it is, with waits between.
// Used by admin_room's sources. I/O thread.
#pragma once

#include "async/tasks.hpp"
#include "room/admin_room.hpp"

namespace steward::room {

class AdminRoom::Turn {
 public:
  explicit Turn(const boost::asio::any_io_executor& io) : ended_(io) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  // Queues behind the last turn. The guard ends the turn when it goes; empty when the wait was cancelled.
  static boost::asio::awaitable<std::shared_ptr<void>> take(AdminRoom& room);

 private:
  void end() {
    over_ = true;
    ended_.notify();
  }
  bool over_ = false;
  async::Signal ended_;
};

}  // namespace steward::room
