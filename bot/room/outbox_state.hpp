// What the outbox's two halves share: the posting side (outbox.cpp) and the sender (outbox_sender.cpp). Only they include it.
// I/O thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "room/outbox.hpp"

namespace steward::room {

struct Outbox::State {
  struct Waiter {
    explicit Waiter(const boost::asio::any_io_executor& io) : answered(io) {}
    async::Signal answered;
    std::optional<core::Result<core::EventId>> result;
  };

  State(boost::asio::any_io_executor the_io, matrix::Client& the_client, db::OutboxStore& the_store)
      : io(std::move(the_io)), client(the_client), store(the_store), wake(io), progressed(io) {}

  // There may be something to send.
  void stir() {
    idle = false;
    ++posts;
    wake.notify();
  }
  // Tells those who wait for that cause.
  void answer(const std::string& cause, const core::Result<core::EventId>& result);
  void forget(const std::string& cause, const std::shared_ptr<Waiter>& waiter);

  boost::asio::any_io_executor io;
  matrix::Client& client;
  db::OutboxStore& store;
  async::Signal wake;        // something new to send
  async::Signal progressed;  // the sender found nothing left to send
  bool idle = false;         // the sender's last look found nothing it may send, and nothing was posted since
  std::uint64_t posts = 0;   // counts post() and release(), so that a look knows whether it saw everything
  std::set<core::RoomId> held;
  std::multimap<std::string, std::shared_ptr<Waiter>> waiters;
  std::optional<std::chrono::steady_clock::time_point> failing_since;
  std::function<void(std::string)> device_made;
};

}  // namespace steward::room
