#include "db/growth_store.hpp"

#include "db/store_outcome.hpp"

namespace steward::db {

using boost::asio::awaitable;
using core::Result;

awaitable<Result<bool>> GrowthStore::taken_today() {
  auto reading = session_.query("SELECT EXISTS (SELECT 1 FROM table_size WHERE day = (now() AT TIME ZONE 'UTC')::date AND name = '') AS taken");
  auto rows = co_await std::move(reading);
  if (!rows) co_return core::fail(rows.error());
  co_return rows->front().boolean("taken");
}

awaitable<Result<void>> GrowthStore::add(std::vector<TableSize> sizes) {
  std::vector<std::string> names, bytes, rows;
  for (const TableSize& size : sizes) {
    names.push_back(size.name);
    bytes.push_back(std::to_string(size.bytes));
    rows.push_back(size.rows ? std::to_string(*size.rows) : "");
  }
  Values values(1, bind_array(names));
  values.push_back(bind_array(bytes));
  values.push_back(bind_array(rows));
  auto inserting = session_.query(
      "INSERT INTO table_size (day, name, bytes, rows) "
      "SELECT (now() AT TIME ZONE 'UTC')::date, name, bytes::bigint, nullif(rows, '')::bigint "
      "FROM unnest($1::text[], $2::text[], $3::text[]) AS sizes (name, bytes, rows) ON CONFLICT (day, name) DO NOTHING",
      std::move(values));
  co_return nothing(co_await std::move(inserting));
}

awaitable<Result<std::vector<DaySize>>> GrowthStore::days(std::chrono::seconds window) {
  Values values(1, bind(window.count()));
  auto reading = session_.query(
      "SELECT day::text AS day, bytes, extract(epoch FROM now() - taken_at)::bigint AS age FROM table_size "
      "WHERE name = '' AND taken_at >= now() - $1::bigint * interval '1 second' ORDER BY table_size.day",
      std::move(values));
  auto day_from = [](const Row& row) { return DaySize{row.text("day"), row.integer("bytes"), std::chrono::seconds(row.integer("age"))}; };
  auto rows = co_await std::move(reading);
  co_return all_of(rows, day_from);
}

awaitable<Result<std::vector<TableSize>>> GrowthStore::tables_on(std::string day) {
  Values values(1, Value(std::move(day)));
  auto reading = session_.query("SELECT name, bytes, rows FROM table_size WHERE day = $1::date AND name <> '' ORDER BY name", std::move(values));
  auto size_from = [](const Row& row) {
    TableSize size{row.text("name"), row.integer("bytes")};
    size.rows = row.optional_integer("rows");
    return size;
  };
  auto rows = co_await std::move(reading);
  co_return all_of(rows, size_from);
}

awaitable<Result<void>> GrowthStore::forget_older_than(std::chrono::seconds age) {
  Values values(1, bind(age.count()));
  auto deleting = session_.query("DELETE FROM table_size WHERE taken_at < now() - $1::bigint * interval '1 second'", std::move(values));
  co_return nothing(co_await std::move(deleting));
}

}  // namespace steward::db
