#include "room/outbox.hpp"

#include "core/log.hpp"
#include "room/outbox_state.hpp"

namespace steward::room {

namespace asio = boost::asio;
using core::Code;
using core::EventId;
using core::Result;
using std::chrono::milliseconds;

Outbox::Outbox(asio::any_io_executor io, matrix::Client& client, db::OutboxStore& store)
    : state_(std::make_shared<State>(std::move(io), client, store)) {}

Outbox::~Outbox() = default;

void Outbox::State::answer(const std::string& cause, const Result<EventId>& result) {
  const auto [first, last] = waiters.equal_range(cause);
  for (auto waiter = first; waiter != last; ++waiter) {
    waiter->second->result = result;
    waiter->second->answered.notify();
  }
}

void Outbox::State::forget(const std::string& cause, const std::shared_ptr<Waiter>& waiter) {
  const auto [first, last] = waiters.equal_range(cause);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second != waiter) continue;
    waiters.erase(entry);
    return;
  }
}

asio::awaitable<Result<void>> Outbox::post(std::string cause, core::RoomId room, std::string type, std::string content) {
  auto state = state_;
  state->idle = false;
  auto row = co_await state->store.add(std::move(cause), std::move(room), std::move(type), std::move(content));
  state->stir();  // only now: a look before may have missed the row
  if (!row) co_return std::unexpected(row.error());
  co_return Result<void>();
}

asio::awaitable<Result<EventId>> Outbox::post_and_wait(std::string cause, core::RoomId room, std::string type,
                                                       std::string content, milliseconds limit) {
  auto posted = co_await post(cause, std::move(room), std::move(type), std::move(content));
  if (!posted) co_return std::unexpected(posted.error());
  co_return co_await wait_for(std::move(cause), limit);
}

asio::awaitable<Result<EventId>> Outbox::wait_for(std::string cause, milliseconds limit) {
  auto state = state_;
  auto waiter = std::make_shared<State::Waiter>(state->io);
  state->waiters.emplace(cause, waiter);  // before the look: the sender may be faster than we are
  Result<EventId> result = core::fail(Code::timeout, "The message was not sent yet",
                                      "the homeserver did not take it in time", "It stays in the queue");
  auto row = co_await state->store.find(cause);
  if (!row) {
    result = std::unexpected(row.error());
  } else if (!*row) {
    result = core::fail(Code::not_found, "Nothing was posted under " + cause);
  } else if ((*row)->state == "sent") {
    result = (*row)->event_id;
  } else if ((*row)->state == "dropped") {
    result = core::fail(Code::rejected, "The message was given up", "the room did not take it");
  } else {
    co_await waiter->answered.wait(limit);
    if (waiter->result) result = std::move(*waiter->result);
  }
  state->forget(cause, waiter);
  co_return result;
}

asio::awaitable<bool> Outbox::drain(milliseconds limit) {
  auto state = state_;
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!state->idle) {
    const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
    if (left <= milliseconds(0)) co_return false;
    const bool notified = co_await state->progressed.wait(left);
    if (!notified) break;
  }
  co_return state->idle;
}

void Outbox::hold(const core::RoomId& room) { state_->held.insert(room); }

void Outbox::release(const core::RoomId& room) {
  if (state_->held.erase(room) == 0) return;
  state_->stir();
}

asio::awaitable<void> Outbox::abandon(core::RoomId room, std::string why) {
  auto state = state_;
  constexpr int everything = 100'000;
  auto rows = co_await state->store.waiting(everything);
  if (!rows) {
    core::log_warning("outbox", "could not give up the messages for room={}: {}", room.str(), describe(rows.error()));
    co_return;
  }
  for (const db::OutboxRow& row : *rows) {
    if (row.room_id != room) continue;
    auto dropped = co_await state->store.dropped(row.id, why);
    if (dropped) state->answer(row.cause, core::fail(Code::rejected, "The message was given up", why));
  }
}

asio::any_io_executor Outbox::executor() const { return state_->io; }

void Outbox::on_device_made(std::function<void(std::string)> tell) { state_->device_made = std::move(tell); }

std::optional<std::chrono::steady_clock::time_point> Outbox::failing_since() const { return state_->failing_since; }

}  // namespace steward::room
