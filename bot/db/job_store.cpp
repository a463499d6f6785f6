#include "db/job_items.hpp"
#include "db/store.hpp"
#include "db/store_outcome.hpp"

namespace steward::db {
namespace {

using core::Result;

constexpr const char* columns =
    "number, command_event, command, line, asker, origin, level, state, reason, plan, receipt, confirmed_by, continues, "
    "extract(epoch FROM now() - created_at)::bigint AS created_ago, "
    "coalesce(extract(epoch FROM now() - started_at)::bigint, -1) AS started_ago, "
    "coalesce(extract(epoch FROM now() - finished_at)::bigint, -1) AS finished_ago, "
    "coalesce(extract(epoch FROM now() - heartbeat_at)::bigint, -1) AS heartbeat_ago, "
    "floor(extract(epoch FROM expires_at - now()))::bigint AS expires_in";

JobRow job_from(const Row& row) {
  JobRow job;
  job.number = row.integer("number");
  job.command_event = core::EventId(row.text("command_event"));
  job.command = row.text("command");
  job.line = row.text("line");
  job.asker = core::UserId(row.text("asker"));
  job.origin = row.text("origin");
  job.level = static_cast<int>(row.integer("level"));
  job.state = row.text("state");
  job.reason = row.text("reason");
  job.plan = row.text("plan");
  job.receipt = row.text("receipt");
  job.confirmed_by = core::UserId(row.text("confirmed_by"));
  job.continues = row.integer("continues");
  job.created_ago = std::chrono::seconds(row.integer("created_ago"));
  job.started_ago = std::chrono::seconds(row.integer("started_ago"));
  job.finished_ago = std::chrono::seconds(row.integer("finished_ago"));
  job.heartbeat_ago = std::chrono::seconds(row.integer("heartbeat_ago"));
  job.expires_in = std::chrono::seconds(row.integer("expires_in"));
  return job;
}

std::string select(const char* rest) { return std::string("SELECT ") + columns + " FROM job " + rest; }

Result<void> refuse_second_job(Transaction& transaction, const core::EventId& event) {
  if (event.empty()) return {};
  auto rows = transaction.exec("SELECT number FROM job WHERE command_event = $1", {event.str()});
  if (!rows) return core::fail(rows.error());
  if (rows->empty()) return {};
  const std::string number = rows->front().text("number");
  return core::fail(core::Code::conflict, "that command has job " + number + " already",
                    "a command event runs once", "", number);
}

Result<std::int64_t> insert_job(Transaction& transaction, const JobRow& job, std::chrono::seconds expires_in) {
  const Value expiry = expires_in.count() > 0 ? bind(expires_in.count()) : Value();
  auto rows = transaction.exec(
      "INSERT INTO job (command_event, command, line, asker, origin, level, state, reason, plan, receipt, confirmed_by, "
      "continues, expires_at) VALUES ($1, $2, $3, $4, $5, $6::integer, $7, $8, $9, $10, $11, $12::bigint, "
      "now() + $13::bigint * interval '1 second') RETURNING number",
      {job.command_event.str(), job.command, job.line, job.asker.str(), job.origin, bind(job.level),
       job.state.empty() ? std::string("waiting") : job.state, job.reason, job.plan, job.receipt, job.confirmed_by.str(),
       bind(job.continues), expiry});
  if (!rows) return core::fail(rows.error());
  return rows->at(0).integer("number");
}

// Times that belong to a state: running starts a heartbeat, an end stops the clock.
constexpr const char* times_of_state =
    "started_at = CASE WHEN $2 = 'running' THEN coalesce(started_at, now()) ELSE started_at END, "
    "heartbeat_at = CASE WHEN $2 = 'running' THEN now() ELSE heartbeat_at END, "
    "finished_at = CASE WHEN $2 IN ('done', 'failed', 'stopped', 'void') THEN now() ELSE NULL END";

Result<bool> changed_one(const Result<Rows>& rows) {
  if (!rows) return core::fail(rows.error());
  return !rows->empty();
}

}  // namespace

boost::asio::awaitable<Result<std::int64_t>> JobStore::create(JobRow job, std::vector<ItemRow> items,
                                                              std::chrono::seconds expires_in) {
  auto work = [job = std::move(job), items = std::move(items), expires_in](Transaction& transaction) -> Result<std::int64_t> {
    if (auto free = refuse_second_job(transaction, job.command_event); !free) return core::fail(free.error());
    auto number = insert_job(transaction, job, expires_in);
    if (!number) return number;
    if (auto inserted = insert_items(transaction, *number, items); !inserted) return core::fail(inserted.error());
    return number;
  };
  auto creating = session_.transaction(std::move(work));
  co_return co_await std::move(creating);
}

boost::asio::awaitable<Result<std::optional<JobRow>>> JobStore::find(std::int64_t number) {
  Values values(1, bind(number));
  auto reading = session_.query(select("WHERE number = $1::bigint"), std::move(values));
  co_return first_of(co_await std::move(reading), job_from);
}

boost::asio::awaitable<Result<std::optional<JobRow>>> JobStore::find_by_command_event(core::EventId event) {
  Values values(1, Value(event.str()));
  auto reading = session_.query(select("WHERE command_event = $1 AND command_event <> ''"), std::move(values));
  co_return first_of(co_await std::move(reading), job_from);
}

boost::asio::awaitable<Result<std::vector<JobRow>>> JobStore::in_state(std::vector<std::string> states, int limit) {
  Values values(1, bind_array(states));
  values.push_back(bind(limit));
  auto reading = session_.query(select("WHERE state = ANY ($1::text[]) ORDER BY number LIMIT $2::bigint"), std::move(values));
  co_return all_of(co_await std::move(reading), job_from);
}

boost::asio::awaitable<Result<std::vector<JobRow>>> JobStore::recent(int limit) {
  Values values(1, bind(limit));
  auto reading = session_.query(select("ORDER BY number DESC LIMIT $1::bigint"), std::move(values));
  co_return all_of(co_await std::move(reading), job_from);
}

boost::asio::awaitable<Result<bool>> JobStore::move(std::int64_t number, std::vector<std::string> from, std::string to,
                                                    std::string reason) {
  Values values(1, bind(number));
  values.emplace_back(std::move(to));
  values.emplace_back(std::move(reason));
  values.push_back(bind_array(from));
  auto updating = session_.query(std::string("UPDATE job SET state = $2, reason = $3, ") + times_of_state +
                                     " WHERE number = $1::bigint AND state = ANY ($4::text[]) RETURNING number",
                                 std::move(values));
  co_return changed_one(co_await std::move(updating));
}

boost::asio::awaitable<Result<bool>> JobStore::confirm(std::int64_t number, core::UserId by, core::EventId confirmation_event) {
  Values values(1, bind(number));
  values.emplace_back(by.str());
  values.emplace_back(confirmation_event.str());
  auto updating = session_.query(
      "UPDATE job SET state = 'queued', reason = '', confirmed_by = $2, confirmation_event = $3 "
      "WHERE number = $1::bigint AND state = 'waiting' AND (expires_at IS NULL OR expires_at > now()) "
      "AND NOT EXISTS (SELECT 1 FROM job used WHERE $3 <> '' AND used.confirmation_event = $3) RETURNING number",
      std::move(values));
  co_return changed_one(co_await std::move(updating));
}

boost::asio::awaitable<Result<void>> JobStore::finish(std::int64_t number, std::string state, std::string reason,
                                                      std::string receipt) {
  Values values(1, bind(number));
  values.emplace_back(std::move(state));
  values.emplace_back(std::move(reason));
  values.emplace_back(std::move(receipt));
  auto updating = session_.query(std::string("UPDATE job SET state = $2, reason = $3, receipt = $4, ") + times_of_state +
                                     " WHERE number = $1::bigint",
                                 std::move(values));
  co_return nothing(co_await std::move(updating));
}

boost::asio::awaitable<Result<void>> JobStore::heartbeat(std::int64_t number) {
  Values values(1, bind(number));
  auto updating = session_.query("UPDATE job SET heartbeat_at = now() WHERE number = $1::bigint", std::move(values));
  co_return nothing(co_await std::move(updating));
}

boost::asio::awaitable<Result<std::vector<JobRow>>> JobStore::expire_waiting() {
  auto updating = session_.query(
      std::string("UPDATE job SET state = 'void', reason = 'expired', finished_at = now() "
                  "WHERE state = 'waiting' AND expires_at <= now() RETURNING ") +
      columns);
  co_return all_of(co_await std::move(updating), job_from);
}

boost::asio::awaitable<Result<std::int64_t>> JobStore::last_number() {
  auto reading = session_.query("SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS number FROM job_number_seq");
  auto rows = co_await std::move(reading);
  if (!rows) co_return core::fail(rows.error());
  co_return rows->at(0).integer("number");
}

boost::asio::awaitable<Result<void>> JobStore::continue_numbers_above(std::int64_t number) {
  Values values(1, bind(number));
  auto setting = session_.query(
      "SELECT setval('job_number_seq', $1::bigint) FROM job_number_seq "
      "WHERE $1::bigint > (CASE WHEN is_called THEN last_value ELSE 0 END)",
      std::move(values));
  co_return nothing(co_await std::move(setting));
}

}  // namespace steward::db
