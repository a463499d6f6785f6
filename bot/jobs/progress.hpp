// What a running command sees of its job: the open items, the journal, NOTICE lines, and whether somebody asked it to stop.
// Used by commands inside run(). I/O thread. Every item goes planned → acting (committed before the act) → its outcome.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/tasks.hpp"
#include "core/error.hpp"
#include "core/units.hpp"
#include "db/store.hpp"

namespace steward::jobs {

enum class StopReason { none, cancelled, paused, frozen, shutdown, lock_lost };
std::string_view name(StopReason reason);

// What became of one item.
struct ItemOutcome {
  enum class State { done, kept, failed, unknown, given_back };  // given_back: not touched, stays planned
  State state = State::done;
  core::Bytes bytes;
  std::int64_t rows = 0;
  std::string text;    // why it was kept or failed
  std::string notice;  // the NOTICE line's ending, "108 rows, 0.2 s"
};

// An outcome that changed nothing, or of which nothing is to be counted: its state and why.
ItemOutcome outcome(ItemOutcome::State state, std::string text = {});

class Progress {
 public:
  // `live` gets the state to show; it decides when to edit the message. `log` lines are stored for !log N.
  struct Hooks {
    std::function<void(const std::string& header, const std::string& last_notice)> show;
    std::function<boost::asio::awaitable<void>(std::string line)> log;
  };
  Progress(boost::asio::any_io_executor io, std::int64_t job, db::JobStore& store, Hooks hooks);

  std::int64_t job() const { return job_; }
  StopReason stop_reason() const { return stop_reason_; }
  bool stopping() const { return stop_reason_ != StopReason::none; }
  void request_stop(StopReason reason);  // the first reason stays
  // Sleeps; false when asked to stop meanwhile (returns at once then).
  boost::asio::awaitable<bool> wait(std::chrono::milliseconds duration);

  // "NOTICE 14/48 event_json: 1 204 331 rows, 41 s": stored in the log and shown in the live message.
  boost::asio::awaitable<void> notice(std::string line);
  // The header line: "640/1 204 files · 53 % · 1 min left".
  void header(std::string text);

  // Works through the open items (acting ones of an earlier life are settled first), `at_a_time`, stops between
  // items when asked to. `act` acts on one item; it re-checks it first and returns `kept` with the reason when it no longer
  // qualifies. `settle` looks up what became of an item whose act was under way when the bot died: done, kept, failed, or
  // given_back to be acted on again; never a second call while the first may still be open.
  // Returns the totals; an error when the journal cannot be written (nothing more is acted on then).
  using Act = std::function<boost::asio::awaitable<ItemOutcome>(db::ItemRow item)>;
  boost::asio::awaitable<core::Result<db::ItemTotals>> for_each_item(std::string unit, int at_a_time, Act act, Act settle);

 private:
  boost::asio::awaitable<core::Result<void>> act_on(db::ItemRow item, const Act& act);
  void show_counts(const std::string& unit);
  void show_notice(std::string line);

  boost::asio::any_io_executor io_;
  std::int64_t job_;
  db::JobStore& store_;
  Hooks hooks_;
  StopReason stop_reason_ = StopReason::none;
  async::Signal wake_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::int64_t total_ = 0, finished_ = 0;
  std::string header_, last_notice_;
};

}  // namespace steward::jobs
