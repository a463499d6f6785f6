#include "room/live_message.hpp"

#include <algorithm>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

#include "core/log.hpp"
#include "core/secret.hpp"

namespace steward::room {

namespace asio = boost::asio;
namespace this_coro = boost::asio::this_coro;
using core::EventId;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

milliseconds next_edit_after(milliseconds last) {
  for (const seconds early : {seconds(2), seconds(5), seconds(10)}) {
    if (last < early) return early;
  }
  const milliseconds pause = std::max<milliseconds>(seconds(15), last / 10);
  return last + std::min<milliseconds>(pause, std::chrono::minutes(10));
}

struct LiveMessage::State {
  State(AdminRoom& the_room, db::OutboxStore& the_outbox, std::string the_cause, matrix::Envelope the_envelope)
      : room(the_room), outbox(the_outbox), cause(std::move(the_cause)), envelope(std::move(the_envelope)) {}

  static asio::awaitable<void> pump(std::shared_ptr<State> state);
  asio::awaitable<void> post_first(matrix::Message message);
  asio::awaitable<bool> try_edit();
  asio::awaitable<EventId> free_to_edit();
  asio::awaitable<bool> post_edit(EventId target);
  milliseconds until_due() const;
  void wake();

  AdminRoom& room;
  db::OutboxStore& outbox;
  std::string cause;
  matrix::Envelope envelope;
  std::optional<async::Signal> changed;  // made by the first show(), which knows the executor

  // Edits of an earlier life have other names, so that theirs do not swallow ours.
  std::string life = core::random_token(6);
  int edits = 0;
  bool posted = false;
  bool pumping = false;
  bool lost = false;   // the first message was given up: nothing to edit
  bool ended = false;  // the LiveMessage is gone: what is pending is due at once
  steady_clock::time_point started = steady_clock::now();
  milliseconds last{};  // of the last edit, from the start
  std::string shown;    // the last text that was handed to the outbox
  std::optional<matrix::Message> pending;
  bool urgent = false;
};

LiveMessage::LiveMessage(AdminRoom& room, db::OutboxStore& outbox, std::string cause, matrix::Envelope envelope)
    : state_(std::make_shared<State>(room, outbox, std::move(cause), std::move(envelope))) {}

LiveMessage::~LiveMessage() {
  state_->ended = true;
  state_->wake();
}

asio::awaitable<void> LiveMessage::show(matrix::Message message, bool now) {
  auto state = state_;
  auto executor = co_await this_coro::executor;
  if (!state->changed) state->changed.emplace(executor);
  if (!state->posted) {
    state->posted = true;  // before the wait: another show() meanwhile is an edit
    auto row = co_await state->outbox.find(state->cause);
    if (!row || !*row) {
      co_await state->post_first(std::move(message));
      co_return;
    }
    now = true;  // posted before a restart: what it shows is out of date
  }
  if (!state->pending && message.plain_body() == state->shown) co_return;
  state->pending = std::move(message);
  state->urgent = state->urgent || now;
  state->wake();
  if (state->pumping) co_return;
  state->pumping = true;
  // Most often it can be done at once: then it is in the outbox when we return.
  if (state->until_due() <= milliseconds(0)) co_await state->try_edit();
  if (state->pending) {
    state->room.in_background("live message", [state] { return State::pump(state); });
  } else {
    state->pumping = false;
  }
}

asio::awaitable<EventId> LiveMessage::event() {
  auto row = co_await state_->outbox.find(state_->cause);
  if (!row || !*row) co_return EventId();
  co_return (*row)->event_id;
}

asio::awaitable<void> LiveMessage::State::post_first(matrix::Message message) {
  std::string text = message.plain_body();
  auto said = co_await room.say(cause, std::move(message), envelope);
  if (said) {
    shown = std::move(text);
    co_return;
  }
  core::log_debug("room", "live message {} not posted: {}", cause, describe(said.error()));
  posted = false;  // the next show() tries again
}

void LiveMessage::State::wake() {
  if (changed) changed->notify();
}

milliseconds LiveMessage::State::until_due() const {
  if (urgent || ended) return milliseconds(0);
  return next_edit_after(last) - duration_cast<milliseconds>(steady_clock::now() - started);
}

// Posts what is pending when it is due and the edit before it is out; ends when nothing is pending.
asio::awaitable<void> LiveMessage::State::pump(std::shared_ptr<State> state) {
  constexpr milliseconds longest_look = seconds(5);
  constexpr int last_looks = 15;  // after the end: about a minute
  milliseconds look{100};
  int looks_after_end = 0;
  for (;;) {
    const auto cancellation = co_await this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return;  // the room may be gone
    if (!state->pending || state->lost) break;
    const milliseconds due = state->until_due();
    if (due > milliseconds(0)) {
      co_await state->changed->wait(due);
      continue;
    }
    const bool done = co_await state->try_edit();
    if (done) {
      look = milliseconds(100);
      continue;
    }
    if (state->ended && ++looks_after_end > last_looks) break;
    co_await async::sleep_for(look);
    look = std::min(look * 2, longest_look);
  }
  state->pumping = false;
}

// True: what was pending is in the outbox, or was shown already.
asio::awaitable<bool> LiveMessage::State::try_edit() {
  EventId target = co_await free_to_edit();
  const auto cancellation = co_await this_coro::cancellation_state;
  if (target.empty() || cancellation.cancelled() != asio::cancellation_type::none) co_return false;
  if (pending->plain_body() == shown) {
    pending.reset();
    co_return true;
  }
  co_return co_await post_edit(std::move(target));
}

// The event to edit, once it was sent and the last edit, too; else empty.
asio::awaitable<EventId> LiveMessage::State::free_to_edit() {
  auto first = co_await outbox.find(cause);
  if (!first || !*first) co_return EventId();
  if ((*first)->state == "dropped") lost = true;
  if ((*first)->state != "sent") co_return EventId();
  if (edits > 0) {
    const auto cancellation = co_await this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return EventId();
    auto before = co_await outbox.find(cause + ":" + life + ":" + std::to_string(edits));
    if (!before || (*before && (*before)->state == "waiting")) co_return EventId();
  }
  co_return (*first)->event_id;
}

// False: the store did not take it, it is pending again.
asio::awaitable<bool> LiveMessage::State::post_edit(EventId target) {
  matrix::Message message = std::move(*pending);
  pending.reset();
  urgent = false;
  const std::string number = std::to_string(edits + 1);
  auto posted_it = co_await room.edit(cause + ":" + life + ":" + number, message, envelope, std::move(target));
  if (!posted_it) {
    core::log_debug("room", "live message {} not edited: {}", cause, describe(posted_it.error()));
    if (!core::is_temporary(posted_it.error())) co_return true;  // the room refuses us: nothing to repeat
    if (!pending) pending = std::move(message);
    urgent = true;
    co_return false;
  }
  ++edits;
  shown = message.plain_body();
  last = duration_cast<milliseconds>(steady_clock::now() - started);
  co_return true;
}

}  // namespace steward::room
