#include "core/secret.hpp"
#include "db/store.hpp"
#include "db/store_outcome.hpp"

namespace steward::db {
namespace {

using core::Result;

constexpr std::int64_t rows_per_check = 2000;

constexpr const char* columns =
    "id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at, "
    "(extract(epoch FROM at) * 1000)::bigint AS at_ms, actor, role, event_id, line, outcome, "
    "confirmed_by, job, previous, hash";

AuditRow audit_from(const Row& row) {
  AuditRow audit;
  audit.id = row.integer("id");
  audit.at = row.text("at");
  audit.at_ms = row.integer("at_ms");
  audit.actor = row.text("actor");
  audit.role = row.text("role");
  audit.event_id = row.text("event_id");
  audit.line = row.text("line");
  audit.outcome = row.text("outcome");
  audit.confirmed_by = row.text("confirmed_by");
  audit.job = row.integer("job");
  return audit;
}

// Lengths before the fields: no two rows give the same text.
std::string hash_of(const AuditRow& row, const std::string& previous) {
  std::string text;
  for (const std::string& field : {previous, std::to_string(row.id), row.at, row.actor, row.role, row.event_id, row.line,
                                   row.outcome, row.confirmed_by, std::to_string(row.job)}) {
    text += std::to_string(field.size()) + ":" + field;
  }
  return core::sha256_hex(text);
}

Result<void> append(Transaction& transaction, AuditRow row) {
  // The lock makes a chain even of two writers; a read of the table is not disturbed.
  auto locked = transaction.exec("LOCK TABLE audit IN EXCLUSIVE MODE");
  if (!locked) return core::fail(locked.error());
  auto before = transaction.exec(
      "SELECT nextval('audit_id_seq') AS id, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at, "
      "coalesce((SELECT hash FROM audit ORDER BY id DESC LIMIT 1), '') AS previous");
  if (!before) return core::fail(before.error());
  row.id = before->at(0).integer("id");
  row.at = before->at(0).text("at");
  const std::string previous = before->at(0).text("previous");
  auto inserted = transaction.exec(
      "INSERT INTO audit (id, at, actor, role, event_id, line, outcome, confirmed_by, job, previous, hash) "
      "VALUES ($1::bigint, $2::timestamptz, $3, $4, $5, $6, $7, $8, $9::bigint, $10, $11)",
      {bind(row.id), row.at, row.actor, row.role, row.event_id, row.line, row.outcome, row.confirmed_by, bind(row.job), previous,
       hash_of(row, previous)});
  return nothing(inserted);
}

// The first row of these that breaks the chain; `previous` is the hash before them and moves on.
std::optional<std::int64_t> break_in(const Rows& rows, std::optional<std::string>& previous) {
  for (const Row& row : rows) {
    const AuditRow audit = audit_from(row);
    const std::string claimed = row.text("previous");
    if (previous && *previous != claimed) return audit.id;  // the very first one may follow rows that were forgotten
    if (hash_of(audit, claimed) != row.text("hash")) return audit.id;
    previous = row.text("hash");
  }
  return std::nullopt;
}

}  // namespace

boost::asio::awaitable<Result<void>> AuditStore::add(AuditRow row) {
  auto work = [row = std::move(row)](Transaction& transaction) { return append(transaction, row); };
  auto adding = session_.transaction(std::move(work));
  co_return co_await std::move(adding);
}

boost::asio::awaitable<Result<std::vector<AuditRow>>> AuditStore::list(std::optional<std::string> actor, std::chrono::seconds since,
                                                                       int limit) {
  Values values(1, actor);
  values.push_back(bind(since.count()));
  values.push_back(bind(limit));
  auto reading = session_.query(std::string("SELECT ") + columns +
                                    " FROM audit WHERE ($1::text IS NULL OR actor = $1) "
                                    "AND at > now() - $2::bigint * interval '1 second' ORDER BY id DESC LIMIT $3::bigint",
                                std::move(values));
  co_return all_of(co_await std::move(reading), audit_from);
}

boost::asio::awaitable<Result<std::optional<std::int64_t>>> AuditStore::first_broken() {
  std::optional<std::string> previous;
  std::int64_t after = 0;
  for (;;) {
    Values values(1, bind(after));
    values.push_back(bind(rows_per_check));
    auto reading = session_.query(
        std::string("SELECT ") + columns + " FROM audit WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint", std::move(values));
    auto rows = co_await std::move(reading);
    if (!rows) co_return core::fail(rows.error());
    if (rows->empty()) co_return std::optional<std::int64_t>();
    if (auto broken = break_in(*rows, previous)) co_return broken;
    after = rows->back().integer("id");
  }
}

boost::asio::awaitable<Result<void>> AuditStore::forget_older_than(std::chrono::seconds age) {
  Values values(1, bind(age.count()));
  // By id below the first row that stays: only the beginning of the chain goes, never a link from its middle.
  auto deleting = session_.query(
      "DELETE FROM audit WHERE id < coalesce((SELECT min(id) FROM audit WHERE at >= now() - $1::bigint * interval '1 second'), "
      "9223372036854775807)",
      std::move(values));
  co_return nothing(co_await std::move(deleting));
}

}  // namespace steward::db
