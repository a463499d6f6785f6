// The sender's loop: rows in the order of their ids, one after another; what a refusal means for its row.
#include <algorithm>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

#include "core/log.hpp"
#include "room/json_fields.hpp"
#include "room/outbox_state.hpp"

namespace steward::room {

namespace asio = boost::asio;
namespace this_coro = boost::asio::this_coro;
using core::Code;
using core::Error;
using core::EventId;
using core::Result;
using db::OutboxRow;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

constexpr int rows_per_look = 100;
constexpr seconds longest_pause{60};
constexpr seconds idle_look{30};
// Synapse keeps the transaction ids of a device for 24 h (event_txn_id_device_id); the rest is margin.
constexpr seconds remembered_by_synapse = std::chrono::hours(20);

// What a refused send means for its row.
enum class Refused { later, unknown_device, already_there, for_good };

Refused judge(const Error& error) {
  if (error.source == "M_UNKNOWN_DEVICE") return Refused::unknown_device;
  if (error.source == "M_DUPLICATE_ANNOTATION") return Refused::already_there;
  // Our token is wrong: a fault of the set-up, not of this message.
  if (error.source == "M_UNKNOWN_TOKEN" || error.source == "M_MISSING_TOKEN") return Refused::later;
  switch (error.code) {
    case Code::not_allowed:
    case Code::not_found:
      return error.source.empty() ? Refused::later : Refused::for_good;  // without an errcode a proxy answered, not Synapse
    case Code::rejected:
    case Code::bad_input:
    case Code::conflict:
    case Code::internal:
      return Refused::for_good;
    default:
      return Refused::later;
  }
}

}  // namespace

class OutboxSender {
 public:
  OutboxSender(std::shared_ptr<Outbox::State> state, bool search_first)
      : state_(std::move(state)), search_first_(search_first) {}

  asio::awaitable<void> run();

 private:
  enum class Outcome { settled, later };

  asio::awaitable<void> pass();
  asio::awaitable<Outcome> deliver(OutboxRow row);
  asio::awaitable<Result<EventId>> transmit(OutboxRow row);
  asio::awaitable<Result<EventId>> transmit_with_device(OutboxRow row);
  asio::awaitable<Result<EventId>> find_in_room(OutboxRow row);
  asio::awaitable<Outcome> sent(OutboxRow row, EventId event);
  asio::awaitable<Outcome> give_up(OutboxRow row, Error error);
  void log_refusal(const OutboxRow& row, const Error& error);
  bool may_be_there_already(const OutboxRow& row) const;

  std::shared_ptr<Outbox::State> state_;
  bool search_first_;
  bool first_pass_ = true;
  int limit_ = rows_per_look;
  std::map<core::RoomId, steady_clock::time_point> refusal_logged_;
  // Of the last pass.
  bool failed_ = false;
  bool found_work_ = false;
};

asio::awaitable<void> Outbox::run(bool search_first) {
  co_await this_coro::throw_if_cancelled(false);
  OutboxSender sender(state_, search_first);
  co_await sender.run();
}

asio::awaitable<void> OutboxSender::run() {
  seconds pause{1};
  for (;;) {
    auto cancellation = co_await this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return;
    co_await pass();
    first_pass_ = false;
    if (failed_) {
      if (!state_->failing_since) state_->failing_since = steady_clock::now();
      // A new message must not shorten the pause: it would fail like the one before it.
      const bool slept = co_await async::sleep_for(pause);
      if (!slept) co_return;
      pause = std::min(pause * 2, longest_pause);
      continue;
    }
    state_->failing_since.reset();
    pause = seconds(1);
    if (found_work_) continue;
    co_await state_->wake.wait(idle_look);
  }
}

// One look at the queue. A room whose send failed keeps its later rows for the next pass, so that their order holds.
asio::awaitable<void> OutboxSender::pass() {
  failed_ = false;
  found_work_ = false;
  const std::uint64_t posts_before = state_->posts;
  auto rows = co_await state_->store.waiting(limit_);
  if (!rows) {
    core::log_warning("outbox", "the queue cannot be read: {}", describe(rows.error()));
    failed_ = true;
    co_return;
  }
  std::set<core::RoomId> stuck;
  for (const OutboxRow& row : *rows) {
    if (state_->held.contains(row.room_id) || stuck.contains(row.room_id)) continue;
    auto cancellation = co_await this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) break;
    found_work_ = true;
    const Outcome outcome = co_await deliver(row);
    if (outcome == Outcome::settled) continue;
    stuck.insert(row.room_id);
    failed_ = true;
  }
  const bool more_behind_held_rows = !found_work_ && rows->size() == static_cast<std::size_t>(limit_);
  limit_ = more_behind_held_rows ? limit_ * 2 : rows_per_look;
  if (more_behind_held_rows) found_work_ = true;
  state_->idle = !found_work_ && posts_before == state_->posts;
  if (state_->idle) state_->progressed.notify();
}

bool OutboxSender::may_be_there_already(const OutboxRow& row) const {
  if (row.attempts == 0 && !first_pass_) return false;
  return search_first_ || row.age > remembered_by_synapse;
}

asio::awaitable<OutboxSender::Outcome> OutboxSender::deliver(OutboxRow row) {
  if (may_be_there_already(row)) {
    auto found = co_await find_in_room(row);
    if (found && !found->empty()) co_return co_await sent(std::move(row), std::move(*found));
    if (!found && judge(found.error()) == Refused::later) co_return Outcome::later;
  }
  auto noted = co_await state_->store.attempted(row.id);
  if (!noted) co_return Outcome::later;
  auto event = co_await transmit_with_device(row);
  if (event) co_return co_await sent(std::move(row), std::move(*event));
  switch (judge(event.error())) {
    case Refused::already_there:
      break;
    case Refused::for_good:
      co_return co_await give_up(std::move(row), event.error());
    default:
      core::log_warning("outbox", "send waits, room={} cause={} attempts={}: {}", row.room_id.str(), row.cause,
                        row.attempts + 1, describe(event.error()));
      co_return Outcome::later;
  }
  EventId unknown_id;
  co_return co_await sent(std::move(row), std::move(unknown_id));
}

asio::awaitable<Result<EventId>> OutboxSender::transmit_with_device(OutboxRow row) {
  auto event = co_await transmit(row);
  if (event || judge(event.error()) != Refused::unknown_device) co_return event;
  core::log_warning("outbox", "the bot's device is gone (somebody deleted it); it is made again");
  auto made = co_await state_->client.put_device("synapse-steward");
  if (!made) co_return std::unexpected(made.error());
  if (state_->device_made) state_->device_made(row.cause);
  co_return co_await transmit(std::move(row));
}

asio::awaitable<Result<EventId>> OutboxSender::transmit(OutboxRow row) {
  if (row.type != "m.room.redaction") {
    co_return co_await state_->client.send(row.room_id, row.type, row.transaction_id, row.content);
  }
  const std::string target = text_at(row.content, "/redacts");
  const std::string reason = text_at(row.content, "/reason");
  if (target.empty()) co_return core::fail(Code::internal, "A redaction without the event it redacts", row.cause);
  EventId event(target);
  co_return co_await state_->client.redact(row.room_id, std::move(event), row.transaction_id, reason);
}

// Goes back through the room until events are older than the row. An empty id: it is not there.
asio::awaitable<Result<EventId>> OutboxSender::find_in_room(OutboxRow row) {
  constexpr int most_pages = 50;
  constexpr int page_size = 100;
  const milliseconds oldest = row.age + std::chrono::minutes(15);
  std::string from;
  for (int number = 0; number < most_pages; ++number) {
    auto page = co_await state_->client.messages_backward(row.room_id, from, page_size);
    if (!page) co_return std::unexpected(page.error());
    for (const matrix::Event& event : page->events) {
      if (event.sender == state_->client.user() && event.transaction_id == row.transaction_id) co_return event.event_id;
    }
    if (page->end.empty() || (!page->events.empty() && page->events.back().age > oldest)) break;
    from = page->end;
  }
  co_return EventId();
}

asio::awaitable<OutboxSender::Outcome> OutboxSender::sent(OutboxRow row, EventId event) {
  auto stored = co_await state_->store.sent(row.id, event);
  state_->answer(row.cause, event);  // it is in the room, whatever the store says
  if (stored) co_return Outcome::settled;
  // It goes out again with the same transaction id: Synapse answers with the same event.
  core::log_warning("outbox", "sent, but the store did not take note, cause={}: {}", row.cause, describe(stored.error()));
  co_return Outcome::later;
}

asio::awaitable<OutboxSender::Outcome> OutboxSender::give_up(OutboxRow row, Error error) {
  log_refusal(row, error);
  const std::string why = describe(error);
  auto stored = co_await state_->store.dropped(row.id, why);
  if (!stored) co_return Outcome::later;
  state_->answer(row.cause, std::unexpected(std::move(error)));
  co_return Outcome::settled;
}

// A room that has removed us refuses every row: one line an hour says so.
void OutboxSender::log_refusal(const OutboxRow& row, const Error& error) {
  if (error.code == Code::not_allowed || error.code == Code::not_found) {
    const auto now = steady_clock::now();
    const auto logged = refusal_logged_.find(row.room_id);
    if (logged != refusal_logged_.end() && now - logged->second < std::chrono::hours(1)) return;
    refusal_logged_[row.room_id] = now;
  }
  core::log_warning("outbox", "message given up, room={} cause={}: {}", row.room_id.str(), row.cause, describe(error));
}

}  // namespace steward::room
