#include "db/store.hpp"
#include "db/store_outcome.hpp"

namespace steward::db {
namespace {

using core::Result;

InboxEvent event_from(const Row& row) {
  InboxEvent event;
  event.event_id = core::EventId(row.text("event_id"));
  event.room_id = core::RoomId(row.text("room_id"));
  event.sender = core::UserId(row.text("sender"));
  event.type = row.text("type");
  event.json = row.text("json");
  event.age = std::chrono::milliseconds(row.integer("age_ms"));
  return event;
}

constexpr const char* event_columns =
    "event_id, room_id, sender, type, json, "
    "age_ms + (extract(epoch FROM now() - arrived_at) * 1000)::bigint AS age_ms";

core::EventId id_from(const Row& row) { return core::EventId(row.text("event_id")); }

Values columns_of(const std::vector<InboxEvent>& events) {
  std::vector<std::string> ids, rooms, senders, types, texts, ages;
  for (const InboxEvent& event : events) {
    ids.push_back(event.event_id.str());
    rooms.push_back(event.room_id.str());
    senders.push_back(event.sender.str());
    types.push_back(event.type);
    texts.push_back(event.json);
    ages.push_back(std::to_string(event.age.count()));
  }
  return {bind_array(ids), bind_array(rooms), bind_array(senders), bind_array(types), bind_array(texts), bind_array(ages)};
}

}  // namespace

boost::asio::awaitable<Result<std::vector<core::EventId>>> InboxStore::add(std::vector<InboxEvent> events) {
  if (events.empty()) co_return std::vector<core::EventId>();
  Values values = columns_of(events);
  auto inserting = session_.query(
      "INSERT INTO inbox (event_id, room_id, sender, type, json, age_ms) "
      "SELECT event_id, room_id, sender, type, json, age_ms FROM "
      "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) "
      "WITH ORDINALITY AS given (event_id, room_id, sender, type, json, age_ms, place) ORDER BY place "
      "ON CONFLICT (event_id) DO NOTHING RETURNING event_id",
      std::move(values));
  co_return all_of(co_await std::move(inserting), id_from);
}

boost::asio::awaitable<Result<std::vector<InboxEvent>>> InboxStore::unhandled(int limit) {
  Values values(1, bind(limit));
  auto reading = session_.query(
      std::string("SELECT ") + event_columns + " FROM inbox WHERE state = 'new' ORDER BY arrival LIMIT $1::bigint",
      std::move(values));
  co_return all_of(co_await std::move(reading), event_from);
}

boost::asio::awaitable<Result<void>> InboxStore::finish(core::EventId event, std::string outcome) {
  Values values;
  values.emplace_back(event.str());
  values.emplace_back(std::move(outcome));
  auto updating = session_.query("UPDATE inbox SET state = 'done', outcome = $2 WHERE event_id = $1", std::move(values));
  co_return nothing(co_await std::move(updating));
}

boost::asio::awaitable<Result<std::vector<core::EventId>>> InboxStore::unknown_of(std::vector<core::EventId> events) {
  std::vector<std::string> ids;
  for (const core::EventId& event : events) ids.push_back(event.str());
  Values values(1, bind_array(ids));
  auto reading = session_.query(
      "SELECT event_id FROM unnest($1::text[]) WITH ORDINALITY AS asked (event_id, place) "
      "WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.event_id = asked.event_id) ORDER BY place",
      std::move(values));
  co_return all_of(co_await std::move(reading), id_from);
}

boost::asio::awaitable<Result<std::optional<InboxEvent>>> InboxStore::find(core::EventId event) {
  Values values(1, Value(event.str()));
  auto reading = session_.query(std::string("SELECT ") + event_columns + " FROM inbox WHERE event_id = $1", std::move(values));
  co_return first_of(co_await std::move(reading), event_from);
}

boost::asio::awaitable<Result<void>> InboxStore::forget_older_than(std::chrono::seconds age) {
  Values values(1, bind(age.count()));
  // What nobody handled yet stays, however old.
  auto deleting = session_.query(
      "DELETE FROM inbox WHERE state = 'done' AND arrived_at < now() - $1::bigint * interval '1 second'", std::move(values));
  co_return nothing(co_await std::move(deleting));
}

}  // namespace steward::db
