// Looks at everything that has a limit, tells what is wrong and what is well again: one message for each trouble, or one for many that
// begin together, edited as it goes on. Tells new abuse reports, with what can be done about each as reactions. Made once by app,
// which lets it look again and again. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "command/offers.hpp"
#include "commands/alert_metrics.hpp"
#include "db/alert_store.hpp"
#include "room/admin_room.hpp"

namespace steward::commands {

// The usual limits, once after set-up; what was removed stays away.
boost::asio::awaitable<core::Result<void>> make_usual_alerts(command::Services& services);

// "⚠ Alert 3 · disk-free: 3.1 GB, less than 5.0 GB", where it stands and what helps; of several one entry each.
matrix::Message alert_message(const std::vector<db::AlertRow>& alerts, const std::string& zone);

class AlertWatch {
 public:
  // `fallback` takes what must reach people another way at once; it does nothing where none is configured.
  AlertWatch(command::Services& services, room::AdminRoom& room, std::function<void(std::string text)> fallback);

  // One look. What cannot be measured keeps its state; without the store nothing happens. Cancellation between two steps leaves
  // what was noted; the next look tells what this one did not.
  boost::asio::awaitable<void> look();
  // Draws a message of alerts anew, after one of them was acknowledged, silenced or removed.
  boost::asio::awaitable<void> show_again(std::string message);
  // When the last look ended, by this host's clock; the epoch before the first one.
  std::chrono::system_clock::time_point last_look() const { return last_look_; }

 private:
  boost::asio::awaitable<void> judge(db::AlertRow& alert, const Measures& measures, std::set<std::string>& changed);
  boost::asio::awaitable<void> tell(std::vector<db::AlertRow> fresh);
  boost::asio::awaitable<void> tell_abuse();
  boost::asio::awaitable<void> say_with_offers(std::string cause, matrix::Message message, bool rings, command::Offers offers);
  bool may_ring(bool urgent) const;

  command::Services& services_;
  room::AdminRoom& room_;
  std::function<void(std::string)> fallback_;
  int looks_ = 0;
  std::chrono::system_clock::time_point last_look_{};
};

}  // namespace steward::commands
