// The items of jobs and their log lines: the second half of JobStore.
#include <algorithm>

#include "db/job_items.hpp"
#include "db/store_outcome.hpp"

namespace steward::db {
namespace {

using core::Result;

constexpr std::size_t rows_per_statement = 5000;

struct ItemColumns {
  std::vector<std::string> positions, kinds, targets, labels, bytes, rows, notes;

  void add(const ItemRow& item) {
    positions.push_back(std::to_string(item.position));
    kinds.push_back(item.kind);
    targets.push_back(item.target);
    labels.push_back(item.label);
    bytes.push_back(std::to_string(item.bytes));
    rows.push_back(std::to_string(item.rows));
    notes.push_back(item.note);
  }
  Values values(std::int64_t job) const {
    return {bind(job),         bind_array(positions), bind_array(kinds), bind_array(targets),
            bind_array(labels), bind_array(bytes),     bind_array(rows),  bind_array(notes)};
  }
};

ItemRow item_from(const Row& row) {
  ItemRow item;
  item.job = row.integer("job");
  item.position = static_cast<int>(row.integer("position"));
  item.kind = row.text("kind");
  item.target = row.text("target");
  item.label = row.text("label");
  item.bytes = row.integer("bytes");
  item.rows = row.integer("rows");
  item.note = row.text("note");
  item.state = row.text("state");
  item.error = row.text("error");
  item.done_bytes = row.integer("done_bytes");
  item.done_rows = row.integer("done_rows");
  return item;
}

// An item that is over must not be acted on again: that is what the journal is for.
Result<void> open_item_changed(const Result<Rows>& rows, std::int64_t job, int position) {
  if (!rows) return core::fail(rows.error());
  if (!rows->empty()) return {};
  return core::fail(core::Code::conflict, "item " + std::to_string(position) + " of job " + std::to_string(job) + " is not open",
                    "it was finished before, or there is no such item");
}

}  // namespace

Result<void> insert_items(Transaction& transaction, std::int64_t job, const std::vector<ItemRow>& items) {
  for (std::size_t from = 0; from < items.size(); from += rows_per_statement) {
    ItemColumns columns;
    const std::size_t to = std::min(items.size(), from + rows_per_statement);
    for (std::size_t i = from; i < to; ++i) columns.add(items[i]);
    auto inserted = transaction.exec(
        "INSERT INTO job_item (job, position, kind, target, label, bytes, rows, note) "
        "SELECT $1::bigint, given.* FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::bigint[], "
        "$7::bigint[], $8::text[]) AS given",
        columns.values(job));
    if (!inserted) return core::fail(inserted.error());
  }
  return {};
}

boost::asio::awaitable<Result<std::vector<ItemRow>>> JobStore::items(std::int64_t job, std::vector<std::string> states, int limit) {
  Values values(1, bind(job));
  values.push_back(bind_array(states));
  values.push_back(limit > 0 ? bind(limit) : Value());
  auto reading = session_.query(
      "SELECT job, position, kind, target, label, bytes, rows, note, state, error, done_bytes, done_rows FROM job_item "
      "WHERE job = $1::bigint AND (state = ANY ($2::text[]) OR cardinality($2::text[]) = 0) "
      "ORDER BY position LIMIT $3::bigint",
      std::move(values));
  co_return all_of(co_await std::move(reading), item_from);
}

boost::asio::awaitable<Result<void>> JobStore::item_acting(std::int64_t job, int position) {
  Values values(1, bind(job));
  values.push_back(bind(position));
  auto updating = session_.query(
      "UPDATE job_item SET state = 'acting' WHERE job = $1::bigint AND position = $2::integer "
      "AND state IN ('planned', 'acting', 'unknown') RETURNING position",
      std::move(values));
  auto rows = co_await std::move(updating);
  co_return open_item_changed(rows, job, position);
}

boost::asio::awaitable<Result<void>> JobStore::item_finished(std::int64_t job, int position, std::string state, std::string error,
                                                             std::int64_t bytes, std::int64_t rows, std::string line) {
  Values values(1, bind(job));
  values.push_back(bind(position));
  values.emplace_back(std::move(state));
  values.emplace_back(std::move(error));
  values.push_back(bind(bytes));
  values.push_back(bind(rows));
  values.emplace_back(std::move(line));
  auto updating = session_.query(
      "WITH finished AS (UPDATE job_item SET state = $3, error = $4, done_bytes = $5::bigint, done_rows = $6::bigint "
      "WHERE job = $1::bigint AND position = $2::integer AND state IN ('planned', 'acting', 'unknown') RETURNING position), "
      "logged AS (INSERT INTO job_log (job, line) SELECT $1::bigint, $7 FROM finished WHERE $7 <> '') "
      "SELECT position FROM finished",
      std::move(values));
  auto changed = co_await std::move(updating);
  co_return open_item_changed(changed, job, position);
}

boost::asio::awaitable<Result<void>> JobStore::items_acting(std::int64_t job, std::vector<int> positions) {
  std::vector<ItemEnd> ends;
  for (const int position : positions) ends.push_back({position, "acting", "", 0});
  return items_finished(job, std::move(ends));
}

boost::asio::awaitable<Result<void>> JobStore::items_finished(std::int64_t job, std::vector<ItemEnd> ends) {
  std::vector<std::string> positions, states, errors, rows;
  for (ItemEnd& end : ends) {
    positions.push_back(std::to_string(end.position));
    states.push_back(std::move(end.state));
    errors.push_back(std::move(end.error));
    rows.push_back(std::to_string(end.rows));
  }
  const Values values{bind(job), bind_array(positions), bind_array(states), bind_array(errors), bind_array(rows)};
  auto work = [job, values, wanted = static_cast<std::int64_t>(ends.size())](Transaction& transaction) -> Result<void> {
    auto changed = transaction.exec(
        "UPDATE job_item SET state = given.state, error = given.error, done_rows = given.rows "
        "FROM unnest($2::integer[], $3::text[], $4::text[], $5::bigint[]) AS given (position, state, error, rows) "
        "WHERE job = $1::bigint AND job_item.position = given.position AND job_item.state IN ('planned', 'acting', 'unknown')",
        values);
    if (!changed) return core::fail(changed.error());
    if (transaction.affected() == wanted) return {};
    return core::fail(core::Code::conflict, "items of job " + std::to_string(job) + " are not open", "some were finished before, or do not exist");
  };
  auto updating = session_.transaction(std::move(work));
  co_return co_await std::move(updating);
}

boost::asio::awaitable<Result<void>> JobStore::item_note(std::int64_t job, int position, std::string note) {
  Values values(1, bind(job));
  values.push_back(bind(position));
  values.emplace_back(std::move(note));
  auto updating = session_.query(
      "UPDATE job_item SET note = $3 WHERE job = $1::bigint AND position = $2::integer "
      "AND state IN ('planned', 'acting', 'unknown') RETURNING position",
      std::move(values));
  auto rows = co_await std::move(updating);
  co_return open_item_changed(rows, job, position);
}

boost::asio::awaitable<Result<ItemTotals>> JobStore::totals(std::int64_t job) {
  Values values(1, bind(job));
  auto reading = session_.query(
      "SELECT count(*) FILTER (WHERE state = 'planned') AS planned, count(*) FILTER (WHERE state = 'acting') AS acting, "
      "count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'kept') AS kept, "
      "count(*) FILTER (WHERE state = 'failed') AS failed, count(*) FILTER (WHERE state = 'unknown') AS unknown, "
      "sum(done_bytes) AS done_bytes, sum(done_rows) AS done_rows FROM job_item WHERE job = $1::bigint",
      std::move(values));
  auto rows = co_await std::move(reading);
  if (!rows) co_return core::fail(rows.error());
  const Row& row = rows->at(0);
  ItemTotals totals;
  totals.planned = row.integer("planned");
  totals.acting = row.integer("acting");
  totals.done = row.integer("done");
  totals.kept = row.integer("kept");
  totals.failed = row.integer("failed");
  totals.unknown = row.integer("unknown");
  totals.done_bytes = row.integer("done_bytes");
  totals.done_rows = row.integer("done_rows");
  co_return totals;
}

boost::asio::awaitable<Result<void>> JobStore::log(std::int64_t job, std::string line) {
  Values values(1, bind(job));
  values.emplace_back(std::move(line));
  auto inserting = session_.query("INSERT INTO job_log (job, line) VALUES ($1::bigint, $2)", std::move(values));
  co_return nothing(co_await std::move(inserting));
}

boost::asio::awaitable<Result<std::vector<std::string>>> JobStore::log_lines(std::int64_t job) {
  Values values(1, bind(job));
  auto reading = session_.query(
      "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') || ' ' || line AS line "
      "FROM job_log WHERE job = $1::bigint ORDER BY id",
      std::move(values));
  auto line_from = [](const Row& row) { return row.text("line"); };
  auto rows = co_await std::move(reading);
  co_return all_of(rows, line_from);
}

boost::asio::awaitable<Result<void>> JobStore::forget_items_older_than(std::chrono::seconds age) {
  auto work = [age](Transaction& transaction) -> Result<void> {
    for (const char* table : {"job_item", "job_log"}) {
      auto deleted = transaction.exec(
          std::string("DELETE FROM ") + table +
              " AS part USING job WHERE job.number = part.job AND job.state IN ('done', 'failed', 'stopped', 'void') "
              "AND job.finished_at < now() - $1::bigint * interval '1 second'",
          {bind(age.count())});
      if (!deleted) return core::fail(deleted.error());
    }
    return {};
  };
  auto deleting = session_.transaction(work);
  co_return co_await std::move(deleting);
}

}  // namespace steward::db
