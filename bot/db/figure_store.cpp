#include "db/figure_store.hpp"

#include "db/store_outcome.hpp"

namespace steward::db {

using boost::asio::awaitable;
using core::Result;

namespace {
constexpr std::int64_t about = 9;  // tenths of the window: a daily report comes a little early now and then
}

awaitable<Result<void>> FigureStore::keep(std::map<std::string, std::int64_t> values) {
  std::vector<std::string> names, numbers;
  for (const auto& [name, value] : values) {
    names.push_back(name);
    numbers.push_back(std::to_string(value));
  }
  Values bound(1, bind_array(names));
  bound.push_back(bind_array(numbers));
  auto inserting = session_.query(
      "INSERT INTO figure (name, value) SELECT name, value::bigint FROM unnest($1::text[], $2::text[]) AS taken (name, value) "
      "WHERE NOT EXISTS (SELECT 1 FROM figure WHERE taken_at > now() - interval '1 hour')",
      std::move(bound));
  co_return nothing(co_await std::move(inserting));
}

awaitable<Result<std::optional<Figures>>> FigureStore::before(std::chrono::seconds window) {
  Values bound(1, bind(window.count() * about / 10));
  auto reading = session_.query(
      "WITH chosen AS (SELECT coalesce((SELECT max(taken_at) FROM figure WHERE taken_at <= now() - $1::bigint * interval '1 second'), "
      "(SELECT min(taken_at) FROM figure WHERE taken_at <= now() - interval '1 hour')) AS taken_at) "
      "SELECT name, value, floor(extract(epoch FROM taken_at) * 1000)::bigint AS taken_ms, extract(epoch FROM now() - taken_at)::bigint AS age "
      "FROM figure JOIN chosen USING (taken_at)",
      std::move(bound));
  auto rows = co_await std::move(reading);
  if (!rows) co_return core::fail(rows.error());
  if (rows->empty()) co_return std::optional<Figures>();
  Figures figures;
  figures.taken_at = core::from_unix_ms(rows->front().integer("taken_ms"));
  figures.age = std::chrono::seconds(rows->front().integer("age"));
  for (const Row& row : *rows) figures.values[row.text("name")] = row.integer("value");
  co_return std::optional<Figures>(std::move(figures));
}

awaitable<Result<WorkDone>> FigureStore::work(std::chrono::seconds window) {
  Values bound(1, bind(window.count()));
  auto reading = session_.query(
      "WITH recent AS (SELECT number, state FROM job WHERE coalesce(finished_at, now()) > now() - $1::bigint * interval '1 second') "
      "SELECT count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'failed') AS failed, "
      "count(*) FILTER (WHERE state = 'stopped') AS stopped, count(*) FILTER (WHERE state = 'waiting') AS waiting, "
      "(SELECT coalesce(sum(done_bytes), 0)::bigint FROM job_item WHERE job IN (SELECT number FROM recent)) AS bytes, "
      "(SELECT coalesce(sum(done_rows), 0)::bigint FROM job_item WHERE job IN (SELECT number FROM recent)) AS rows FROM recent",
      std::move(bound));
  auto rows = co_await std::move(reading);
  if (!rows) co_return core::fail(rows.error());
  const Row& row = rows->front();
  WorkDone work;
  work.done = row.integer("done");
  work.failed = row.integer("failed");
  work.stopped = row.integer("stopped");
  work.waiting = row.integer("waiting");
  work.freed = core::Bytes{row.integer("bytes")};
  work.rows = row.integer("rows");
  co_return work;
}

awaitable<Result<void>> FigureStore::forget_older_than(std::chrono::seconds age) {
  Values bound(1, bind(age.count()));
  auto deleting = session_.query("DELETE FROM figure WHERE taken_at < now() - $1::bigint * interval '1 second'", std::move(bound));
  co_return nothing(co_await std::move(deleting));
}

}  // namespace steward::db
