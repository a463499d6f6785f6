#include "db/schedule_store.hpp"

#include "db/store_outcome.hpp"

namespace steward::db {

using boost::asio::awaitable;
using core::Result;

namespace {

constexpr const char* columns =
    "number, timetable, line, author, confirmed_by, origin_job, level, cap_items, cap_rows, cap_bytes, state, reason, last_outcome, last_job, "
    "floor(extract(epoch FROM next_run) * 1000)::bigint AS next_ms, floor(extract(epoch FROM last_run) * 1000)::bigint AS last_ms";

ScheduleRow schedule_from(const Row& row) {
  ScheduleRow schedule;
  schedule.number = row.integer("number");
  schedule.timetable = row.text("timetable");
  schedule.line = row.text("line");
  schedule.author = core::UserId(row.text("author"));
  schedule.confirmed_by = core::UserId(row.text("confirmed_by"));
  schedule.origin_job = row.integer("origin_job");
  schedule.level = static_cast<int>(row.integer("level"));
  schedule.cap_items = row.integer("cap_items");
  schedule.cap_rows = row.integer("cap_rows");
  schedule.cap_bytes = row.integer("cap_bytes");
  schedule.state = row.text("state");
  schedule.reason = row.text("reason");
  schedule.next_run = time_from(row, "next_ms");
  schedule.last_run = time_from(row, "last_ms");
  schedule.last_outcome = row.text("last_outcome");
  schedule.last_job = row.integer("last_job");
  return schedule;
}

std::string select(const char* rest) { return std::string("SELECT ") + columns + " FROM schedule " + rest; }

Value bind_time(const std::optional<core::TimePoint>& time) { return time ? bind(core::to_unix_ms(*time)) : Value(); }

Values number_first(std::int64_t number) { return Values(1, bind(number)); }

}  // namespace

awaitable<Result<core::TimePoint>> ScheduleStore::now() {
  auto reading = session_.query("SELECT floor(extract(epoch FROM now()) * 1000)::bigint AS now_ms");
  auto rows = co_await std::move(reading);
  if (!rows) co_return core::fail(rows.error());
  co_return core::from_unix_ms(rows->front().integer("now_ms"));
}

awaitable<Result<std::int64_t>> ScheduleStore::add(ScheduleRow row) {
  auto work = [row = std::move(row)](Transaction& transaction) -> Result<std::int64_t> {
    if (row.origin_job != 0) {
      auto before = transaction.exec("SELECT number FROM schedule WHERE origin_job = $1::bigint", {bind(row.origin_job)});
      if (!before) return core::fail(before.error());
      if (!before->empty()) return before->front().integer("number");
    }
    auto rows = transaction.exec(
        "INSERT INTO schedule (timetable, line, author, confirmed_by, origin_job, level, cap_items, cap_rows, cap_bytes, next_run) "
        "VALUES ($1, $2, $3, $4, $5::bigint, $6::integer, $7::bigint, $8::bigint, $9::bigint, to_timestamp($10::bigint / 1000.0)) RETURNING number",
        {row.timetable, row.line, row.author.str(), row.confirmed_by.str(), bind(row.origin_job), bind(row.level), bind(row.cap_items),
         bind(row.cap_rows), bind(row.cap_bytes), bind_time(row.next_run)});
    if (!rows) return core::fail(rows.error());
    return rows->front().integer("number");
  };
  auto adding = session_.transaction(std::move(work));
  co_return co_await std::move(adding);
}

awaitable<Result<std::optional<ScheduleRow>>> ScheduleStore::find(std::int64_t number) {
  auto reading = session_.query(select("WHERE number = $1::bigint"), number_first(number));
  co_return first_of(co_await std::move(reading), schedule_from);
}

awaitable<Result<std::vector<ScheduleRow>>> ScheduleStore::all() {
  auto reading = session_.query(select("ORDER BY number"));
  co_return all_of(co_await std::move(reading), schedule_from);
}

awaitable<Result<std::vector<ScheduleRow>>> ScheduleStore::due(core::TimePoint now, int limit) {
  Values values(1, bind(core::to_unix_ms(now)));
  values.push_back(bind(limit));
  auto reading = session_.query(
      select("WHERE state = 'active' AND next_run <= to_timestamp($1::bigint / 1000.0) ORDER BY next_run, number LIMIT $2::bigint"), std::move(values));
  co_return all_of(co_await std::move(reading), schedule_from);
}

awaitable<Result<bool>> ScheduleStore::remove(std::int64_t number) {
  auto deleting = session_.query("DELETE FROM schedule WHERE number = $1::bigint RETURNING number", number_first(number));
  co_return any(co_await std::move(deleting));
}

awaitable<Result<bool>> ScheduleStore::set_state(std::int64_t number, std::string state, std::string reason, std::optional<core::TimePoint> next_run) {
  Values values = number_first(number);
  values.emplace_back(std::move(state));
  values.emplace_back(std::move(reason));
  values.push_back(bind_time(next_run));
  auto updating = session_.query(
      "UPDATE schedule SET state = $2, reason = $3, next_run = to_timestamp($4::bigint / 1000.0), changed_at = now() "
      "WHERE number = $1::bigint RETURNING number",
      std::move(values));
  co_return any(co_await std::move(updating));
}

awaitable<Result<void>> ScheduleStore::set_next(std::int64_t number, std::optional<core::TimePoint> next_run) {
  Values values = number_first(number);
  values.push_back(bind_time(next_run));
  auto updating = session_.query("UPDATE schedule SET next_run = to_timestamp($2::bigint / 1000.0) WHERE number = $1::bigint AND state = 'active'",
                                 std::move(values));
  co_return nothing(co_await std::move(updating));
}

awaitable<Result<void>> ScheduleStore::move_on(std::int64_t number, core::TimePoint planned, bool ran, std::optional<core::TimePoint> next_run) {
  Values values = number_first(number);
  values.push_back(bind(core::to_unix_ms(planned)));
  values.push_back(bind(ran));
  values.push_back(bind_time(next_run));
  values.emplace_back(next_run ? "active" : "ended");
  auto updating = session_.query(
      "UPDATE schedule SET last_run = CASE WHEN $3::boolean THEN next_run ELSE last_run END, next_run = to_timestamp($4::bigint / 1000.0), "
      "state = $5, changed_at = now() "
      "WHERE number = $1::bigint AND state = 'active' AND floor(extract(epoch FROM next_run) * 1000)::bigint = $2::bigint",
      std::move(values));
  co_return nothing(co_await std::move(updating));
}

awaitable<Result<void>> ScheduleStore::note_outcome(std::int64_t number, std::string outcome, std::int64_t job) {
  Values values = number_first(number);
  values.emplace_back(std::move(outcome));
  values.push_back(bind(job));
  auto updating = session_.query(
      "UPDATE schedule SET last_outcome = $2, last_job = CASE WHEN $3::bigint = 0 THEN last_job ELSE $3::bigint END WHERE number = $1::bigint",
      std::move(values));
  co_return nothing(co_await std::move(updating));
}

awaitable<Result<std::vector<ScheduleRow>>> ScheduleStore::pause_changing(std::string reason) {
  Values values(1, Value(std::move(reason)));
  auto updating = session_.query(std::string("UPDATE schedule SET state = 'paused', reason = $1, changed_at = now() "
                                             "WHERE state = 'active' AND level > 0 RETURNING ") + columns,
                                 std::move(values));
  co_return all_of(co_await std::move(updating), schedule_from);
}

awaitable<Result<void>> ScheduleStore::forget_ended(std::chrono::seconds age) {
  Values values(1, bind(age.count()));
  auto deleting = session_.query("DELETE FROM schedule WHERE state = 'ended' AND changed_at < now() - $1::bigint * interval '1 second'", std::move(values));
  co_return nothing(co_await std::move(deleting));
}

}  // namespace steward::db
