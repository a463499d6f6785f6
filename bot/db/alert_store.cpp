#include "db/alert_store.hpp"

#include "db/store_outcome.hpp"

namespace steward::db {

using boost::asio::awaitable;
using core::Result;

namespace {

constexpr const char* select_alert =
    "SELECT number, metric, value_limit, added_by, firing, streak, value, detail, message, acknowledged_by, "
    "floor(extract(epoch FROM since) * 1000)::bigint AS since_ms, floor(extract(epoch FROM ended) * 1000)::bigint AS ended_ms, "
    "floor(extract(epoch FROM CASE WHEN silenced_until > now() THEN silenced_until END) * 1000)::bigint AS silenced_ms FROM alert ";

AlertRow alert_from(const Row& row) {
  AlertRow alert;
  alert.number = row.integer("number");
  alert.metric = row.text("metric");
  alert.limit = row.integer("value_limit");
  alert.added_by = row.text("added_by");
  alert.firing = row.boolean("firing");
  alert.streak = static_cast<int>(row.integer("streak"));
  alert.value = row.optional_integer("value");
  alert.detail = row.text("detail");
  alert.message = row.text("message");
  alert.acknowledged_by = row.text("acknowledged_by");
  alert.since = time_from(row, "since_ms");
  alert.ended = time_from(row, "ended_ms");
  alert.silenced_until = time_from(row, "silenced_ms");
  return alert;
}

std::string select(const char* rest) { return std::string(select_alert) + rest; }

}  // namespace

awaitable<Result<std::vector<AlertRow>>> AlertStore::all() {
  auto reading = session_.query(select("ORDER BY number"));
  co_return all_of(co_await std::move(reading), alert_from);
}

awaitable<Result<std::vector<AlertRow>>> AlertStore::told_by(std::string message) {
  auto reading = session_.query(select("WHERE message = $1 ORDER BY number"), Values(1, Value(std::move(message))));
  co_return all_of(co_await std::move(reading), alert_from);
}

awaitable<Result<std::optional<AlertRow>>> AlertStore::find(std::int64_t number) {
  auto reading = session_.query(select("WHERE number = $1::bigint"), Values(1, bind(number)));
  co_return first_of(co_await std::move(reading), alert_from);
}

awaitable<Result<std::int64_t>> AlertStore::add(std::string metric, std::int64_t limit, std::string by) {
  Values values(1, Value(std::move(metric)));
  values.push_back(bind(limit));
  values.emplace_back(std::move(by));
  auto adding = session_.query(
      "WITH added AS (INSERT INTO alert (metric, value_limit, added_by) VALUES ($1, $2::bigint, $3) ON CONFLICT DO NOTHING RETURNING number) "
      "SELECT number FROM added UNION ALL SELECT number FROM alert WHERE metric = $1 AND value_limit = $2::bigint LIMIT 1",
      std::move(values));
  auto rows = co_await std::move(adding);
  if (!rows) co_return core::fail(rows.error());
  co_return rows->front().integer("number");
}

awaitable<Result<bool>> AlertStore::remove(std::int64_t number) {
  auto deleting = session_.query("DELETE FROM alert WHERE number = $1::bigint RETURNING number", Values(1, bind(number)));
  co_return any(co_await std::move(deleting));
}

awaitable<Result<void>> AlertStore::note(AlertRow row, bool begins, bool ends) {
  Values values(1, bind(row.number));
  values.push_back(bind(row.firing));
  values.push_back(bind(row.streak));
  values.push_back(row.value ? bind(*row.value) : Value());
  values.emplace_back(std::move(row.detail));
  values.push_back(bind(begins));
  values.push_back(bind(ends));
  auto updating = session_.query(
      "UPDATE alert SET firing = $2::boolean, streak = $3::integer, value = $4::bigint, detail = $5, "
      "since = CASE WHEN $6::boolean THEN now() ELSE since END, ended = CASE WHEN $6::boolean THEN NULL WHEN $7::boolean THEN now() ELSE ended END, "
      "message = CASE WHEN $6::boolean THEN '' ELSE message END, acknowledged_by = CASE WHEN $6::boolean THEN '' ELSE acknowledged_by END "
      "WHERE number = $1::bigint",
      std::move(values));
  co_return nothing(co_await std::move(updating));
}

awaitable<Result<void>> AlertStore::note_told(std::vector<std::int64_t> numbers, std::string message) {
  std::vector<std::string> texts;
  for (const std::int64_t number : numbers) texts.push_back(std::to_string(number));
  Values values(1, bind_array(texts));
  values.emplace_back(std::move(message));
  auto updating = session_.query("UPDATE alert SET message = $2 WHERE number = ANY ($1::bigint[])", std::move(values));
  co_return nothing(co_await std::move(updating));
}

awaitable<Result<void>> AlertStore::acknowledge(std::int64_t number, std::string by) {
  Values values(1, bind(number));
  values.emplace_back(std::move(by));
  auto updating = session_.query("UPDATE alert SET acknowledged_by = $2 WHERE number = $1::bigint", std::move(values));
  co_return nothing(co_await std::move(updating));
}

awaitable<Result<void>> AlertStore::silence(std::int64_t number, std::chrono::seconds span) {
  Values values(1, bind(number));
  values.push_back(bind(span.count()));
  auto updating = session_.query("UPDATE alert SET silenced_until = now() + $2::bigint * interval '1 second' WHERE number = $1::bigint", std::move(values));
  co_return nothing(co_await std::move(updating));
}

awaitable<Result<void>> AlertStore::offer(std::string cause, std::string key, std::string line) {
  Values values(1, Value(std::move(cause)));
  values.emplace_back(std::move(key));
  values.emplace_back(std::move(line));
  auto adding = session_.query("INSERT INTO offer (cause, key, line) VALUES ($1, $2, $3) ON CONFLICT (cause, key) DO UPDATE SET line = excluded.line",
                               std::move(values));
  co_return nothing(co_await std::move(adding));
}

awaitable<Result<std::optional<std::string>>> AlertStore::offered(std::string cause, std::string key) {
  Values values(1, Value(std::move(cause)));
  values.emplace_back(std::move(key));
  auto reading = session_.query("SELECT line FROM offer WHERE cause = $1 AND key = $2", std::move(values));
  co_return first_of(co_await std::move(reading), [](const Row& row) { return row.text("line"); });
}

awaitable<Result<void>> AlertStore::forget_offers_older_than(std::chrono::seconds age) {
  auto deleting = session_.query("DELETE FROM offer WHERE made_at < now() - $1::bigint * interval '1 second'", Values(1, bind(age.count())));
  co_return nothing(co_await std::move(deleting));
}

}  // namespace steward::db
