// The life of a plan: proposed (row, card, reactions), confirmed once by the right person, declined, voided, expired.
// Used by the dispatcher for the room and for the terminal. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "command/confirmation.hpp"
#include "command/context.hpp"
#include "core/error.hpp"
#include "jobs/plan.hpp"
#include "room/admin_room.hpp"

namespace steward::command {

class Plans {
 public:
  Plans(Services& services, room::AdminRoom& room);

  // Reads which plans wait; at start, before the inbox opens.
  boost::asio::awaitable<core::Result<void>> load();
  bool waiting() const { return !waiting_.empty(); }

  // Takes out of the plan what a confirmed job already works on or is about to, and says so: two jobs never have one target.
  boost::asio::awaitable<core::Result<void>> leave_out_busy(jobs::Plan& plan);

  // Stores the plan with its items and posts its card. Level 1 needs no confirmation: its job is queued at once.
  // Returns the number. conflict when the command event has one already.
  boost::asio::awaitable<core::Result<std::int64_t>> propose(jobs::Plan plan, const Context& context);

  // What somebody said to a plan. Returns words for the person, or nothing to say.
  struct Answer {
    std::string text;
    bool confirmed = false;
    std::int64_t number = 0;
  };
  boost::asio::awaitable<core::Result<Answer>> answer(Say say, core::UserId who, Role role, core::EventId event, bool terminal);

  // The plan a Say is about, before anything is checked; nullopt: none.
  boost::asio::awaitable<core::Result<std::optional<db::JobRow>>> target_of(Say say, core::UserId who);

  // A waiting plan becomes void (edited, redacted, expired, declined); its card says so. False when it was not waiting.
  boost::asio::awaitable<bool> close(std::int64_t number, std::string reason, std::string words);
  boost::asio::awaitable<void> expire();

  // A job that runs outside the queue, because it is about the queue itself (thaw) or a matter of a moment (allow).
  boost::asio::awaitable<void> run_at_once(db::JobRow job);

 private:
  boost::asio::awaitable<void> post_card(std::int64_t number, const jobs::Plan& plan, const Context& context);
  boost::asio::awaitable<void> take_reactions_back(std::int64_t number);
  boost::asio::awaitable<bool> take_back(std::string cause);
  boost::asio::awaitable<void> take_back_later(std::string cause);
  boost::asio::awaitable<void> show_closed(db::JobRow job, std::string words);
  boost::asio::awaitable<core::Result<Answer>> confirm(db::JobRow job, jobs::Plan plan, core::UserId who, core::EventId event);

  Services& services_;
  room::AdminRoom& room_;
  std::set<std::int64_t> waiting_;
};

}  // namespace steward::command
