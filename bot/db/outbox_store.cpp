#include "core/secret.hpp"
#include "db/store.hpp"
#include "db/store_outcome.hpp"

namespace steward::db {
namespace {

using core::Result;

constexpr const char* columns =
    "id, cause, transaction_id, room_id, type, content, state, event_id, attempts, "
    "extract(epoch FROM now() - created_at)::bigint AS age";

OutboxRow row_from(const Row& row) {
  OutboxRow found;
  found.id = row.integer("id");
  found.cause = row.text("cause");
  found.transaction_id = row.text("transaction_id");
  found.room_id = core::RoomId(row.text("room_id"));
  found.type = row.text("type");
  found.content = row.text("content");
  found.state = row.text("state");
  found.event_id = core::EventId(row.text("event_id"));
  found.attempts = static_cast<int>(row.integer("attempts"));
  found.age = std::chrono::seconds(row.integer("age"));
  return found;
}

// The same cause gives the same id, also after the row was forgotten or restored from a backup: Synapse then knows it.
std::string transaction_id_of(const std::string& cause) { return "st" + core::sha256_hex(cause).substr(0, 32); }

// Whether the JSON says "rel_type": "m.replace". A quote inside a JSON string is escaped, so no body text can look like it;
// the server's own JSON functions would stumble over \u0000 in the body.
bool replaces_another(std::string_view content) {
  constexpr std::string_view key = "\"rel_type\"", edit = "\"m.replace\"", between = " \t\r\n:";
  for (auto at = content.find(key); at != std::string_view::npos; at = content.find(key, at + 1)) {
    const auto value = content.find_first_not_of(between, at + key.size());
    if (value != std::string_view::npos && content.substr(value).starts_with(edit)) return true;
  }
  return false;
}

std::string select(const char* rest) { return std::string("SELECT ") + columns + " FROM outbox " + rest; }

}  // namespace

boost::asio::awaitable<Result<OutboxRow>> OutboxStore::add(std::string cause, core::RoomId room, std::string type,
                                                           std::string content) {
  std::string transaction_id = transaction_id_of(cause);
  const bool edit = replaces_another(content);
  Values values;
  values.emplace_back(std::move(cause));
  values.emplace_back(std::move(transaction_id));
  values.emplace_back(room.str());
  values.emplace_back(std::move(type));
  values.emplace_back(std::move(content));
  values.push_back(bind(edit));
  auto work = [values = std::move(values)](Transaction& transaction) -> Result<OutboxRow> {
    auto inserted = transaction.exec(
        "INSERT INTO outbox (cause, transaction_id, room_id, type, content, edit) "
        "VALUES ($1, $2, $3, $4, $5, $6::boolean) "
        "ON CONFLICT (cause) DO NOTHING",
        values);
    if (!inserted) return core::fail(inserted.error());
    auto rows = transaction.exec(select("WHERE cause = $1"), {values[0]});
    if (!rows) return core::fail(rows.error());
    return row_from(rows->at(0));
  };
  auto adding = session_.transaction(std::move(work));
  co_return co_await std::move(adding);
}

boost::asio::awaitable<Result<std::vector<OutboxRow>>> OutboxStore::waiting(int limit) {
  Values values(1, bind(limit));
  auto reading = session_.query(select("WHERE state = 'waiting' ORDER BY id LIMIT $1::bigint"), std::move(values));
  co_return all_of(co_await std::move(reading), row_from);
}

boost::asio::awaitable<Result<void>> OutboxStore::sent(std::int64_t id, core::EventId event) {
  Values values;
  values.push_back(bind(id));
  values.emplace_back(event.str());
  auto updating = session_.query(
      "UPDATE outbox SET state = 'sent', event_id = $2, ended_at = now() WHERE id = $1::bigint", std::move(values));
  co_return nothing(co_await std::move(updating));
}

boost::asio::awaitable<Result<void>> OutboxStore::dropped(std::int64_t id, std::string why) {
  Values values;
  values.push_back(bind(id));
  values.emplace_back(std::move(why));
  auto updating = session_.query(
      "UPDATE outbox SET state = 'dropped', why_dropped = $2, ended_at = now() WHERE id = $1::bigint AND state = 'waiting'",
      std::move(values));
  co_return nothing(co_await std::move(updating));
}

boost::asio::awaitable<Result<void>> OutboxStore::attempted(std::int64_t id) {
  Values values(1, bind(id));
  auto updating = session_.query("UPDATE outbox SET attempts = attempts + 1 WHERE id = $1::bigint", std::move(values));
  co_return nothing(co_await std::move(updating));
}

boost::asio::awaitable<Result<std::optional<OutboxRow>>> OutboxStore::find(std::string cause) {
  Values values(1, Value(std::move(cause)));
  auto reading = session_.query(select("WHERE cause = $1"), std::move(values));
  co_return first_of(co_await std::move(reading), row_from);
}

boost::asio::awaitable<Result<std::optional<OutboxRow>>> OutboxStore::find_by_event(core::EventId event) {
  Values values(1, Value(event.str()));
  auto reading = session_.query(select("WHERE event_id = $1 AND event_id <> ''"), std::move(values));
  co_return first_of(co_await std::move(reading), row_from);
}

boost::asio::awaitable<Result<std::optional<OutboxRow>>> OutboxStore::newest_sent(core::RoomId room) {
  Values values(1, Value(room.str()));
  auto reading = session_.query(
      select("WHERE room_id = $1 AND state = 'sent' AND type = 'm.room.message' AND NOT edit ORDER BY id DESC LIMIT 1"),
      std::move(values));
  co_return first_of(co_await std::move(reading), row_from);
}

boost::asio::awaitable<Result<void>> OutboxStore::forget_older_than(std::chrono::seconds age) {
  Values values(1, bind(age.count()));
  auto deleting = session_.query(
      "DELETE FROM outbox WHERE state <> 'waiting' AND created_at < now() - $1::bigint * interval '1 second'",
      std::move(values));
  co_return nothing(co_await std::move(deleting));
}

}  // namespace steward::db
