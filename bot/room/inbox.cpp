#include "room/inbox.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/log.hpp"

namespace steward::room {

namespace asio = boost::asio;
using core::EventId;
using core::Result;
using matrix::Event;

namespace {

constexpr std::array room_state = {"m.room.member",     "m.room.tombstone",    "m.room.encryption",
                                   "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility"};

bool is_room_state(const Event& event) { return std::ranges::find(room_state, event.type) != room_state.end(); }

// What a reaction, redaction or edit is about.
EventId target_of(const Event& event) { return event.type == "m.room.redaction" ? event.redacts : event.relates_to; }

db::InboxEvent row_of(const Event& event) {
  db::InboxEvent row;
  row.event_id = event.event_id;
  row.room_id = event.room_id;
  row.sender = event.sender;
  row.type = event.type;
  row.json = event.json;
  row.age = event.age;
  return row;
}

}  // namespace

Inbox::Inbox(db::InboxStore& store, db::OutboxStore& outbox, AdminRoom& room, core::UserId bot, Hooks hooks, async::Signal& arrived)
    : store_(store), outbox_(outbox), room_(room), bot_(std::move(bot)), hooks_(std::move(hooks)), arrived_(arrived) {}

matrix::Interest Inbox::interest() const { return {room_.id(), bot_}; }

// The event id is compared by the store, age and rights by the dispatcher; the rest of §3.5 stands here in its order.
Inbox::Verdict Inbox::judge(const Event& event) const {
  if (event.soft_failed) return Verdict::drop;
  const bool here = !room_.id().empty() && event.room_id == room_.id();
  const bool about_us = event.type == "m.room.member" && event.state_key == bot_.str();
  if (about_us && event.membership == "invite") return Verdict::store;
  // The delete API makes each member leave in its own name: that is how a deleted room looks.
  if (about_us && here && event.membership != "join") return Verdict::store;
  if (event.sender == bot_ || !here) return Verdict::drop;
  if (event.state_key) return is_room_state(event) ? Verdict::store : Verdict::drop;
  if (event.redacted) return Verdict::drop;
  if (event.type == "m.room.message") return judge_message(event);
  const bool reaction = event.type == "m.reaction" && event.relation_type == "m.annotation";
  const bool points = reaction || event.type == "m.room.redaction";
  return points && !target_of(event).empty() ? Verdict::needs_lookup : Verdict::drop;
}

Inbox::Verdict Inbox::judge_message(const Event& event) const {
  if (event.relation_type == "m.replace" || event.has_new_content) {
    // Never run; but the edit of a waiting command voids its plan.
    return event.relation_type == "m.replace" && !event.relates_to.empty() ? Verdict::needs_lookup : Verdict::drop;
  }
  if (event.msgtype != "m.text") return Verdict::drop;
  if (hooks_.looks_like_command(event) || hooks_.plan_waits()) return Verdict::store;
  return Verdict::drop;
}

asio::awaitable<Result<void>> Inbox::receive(std::vector<Event> events) {
  std::vector<db::InboxEvent> batch;
  for (const Event& event : events) {
    const Verdict verdict = judge(event);
    if (verdict == Verdict::drop) continue;
    if (verdict == Verdict::needs_lookup) {
      auto known = co_await held(target_of(event), batch);
      if (!known) co_return std::unexpected(known.error());
      if (!*known) continue;
    }
    batch.push_back(row_of(event));
  }
  if (batch.empty()) co_return Result<void>();
  auto added = co_await store_.add(std::move(batch));
  if (!added) co_return std::unexpected(added.error());
  if (!added->empty()) arrived_.notify();
  co_return Result<void>();
}

asio::awaitable<Result<bool>> Inbox::held(EventId target, const std::vector<db::InboxEvent>& batch) {
  const auto same = [&target](const db::InboxEvent& row) { return row.event_id == target; };
  if (std::ranges::any_of(batch, same)) co_return true;
  auto ours = co_await outbox_.find_by_event(target);
  if (!ours) co_return std::unexpected(ours.error());
  if (*ours) co_return true;
  auto theirs = co_await store_.find(std::move(target));
  if (!theirs) co_return std::unexpected(theirs.error());
  co_return theirs->has_value();
}

// Plain words, reactions and the like are not asked for again: what they answered is over.
bool Inbox::is_missable(const Event& event) const {
  constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 7);
  if (event.type != "m.room.message" || event.age > longest) return false;
  return judge(event) == Verdict::store && hooks_.looks_like_command(event);
}

asio::awaitable<Result<std::vector<Event>>> Inbox::missed(matrix::Client& client, int window) {
  constexpr int page_size = 100;
  std::vector<Event> candidates;
  std::string from;
  bool joined_here = false;
  for (int left = window; left > 0 && !joined_here; left -= page_size) {
    auto page = co_await client.messages_backward(room_.id(), from, std::min(left, page_size));
    if (!page) co_return std::unexpected(page.error());
    for (Event& event : page->events) {
      const bool own_membership = event.type == "m.room.member" && event.state_key == bot_.str();
      joined_here = own_membership && event.membership == "join";
      if (joined_here) break;
      if (is_missable(event)) candidates.push_back(std::move(event));
    }
    from = page->end;
    if (from.empty()) break;
  }
  if (candidates.empty()) co_return candidates;
  std::vector<EventId> ids;
  for (const Event& event : candidates) ids.push_back(event.event_id);
  auto unknown = co_await store_.unknown_of(std::move(ids));
  if (!unknown) co_return std::unexpected(unknown.error());
  const std::unordered_set<EventId> unknown_ids(unknown->begin(), unknown->end());
  std::erase_if(candidates, [&unknown_ids](const Event& event) { return !unknown_ids.contains(event.event_id); });
  std::ranges::reverse(candidates);
  co_return candidates;
}

}  // namespace steward::room
