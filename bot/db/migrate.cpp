#include <algorithm>

#include "core/log.hpp"
#include "db/store.hpp"
#include "sql/schema.hpp"

namespace steward::db {
namespace {

using core::Code;

std::string quoted_name(std::string_view name) {
  std::string text = "\"";
  for (char c : name) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + "\"";
}

core::Error missing_right(const core::Error& cause, const std::string& schema, const std::string& role, bool exists) {
  const std::string command = exists ? "GRANT USAGE, CREATE ON SCHEMA " + quoted_name(schema) + " TO " + quoted_name(role)
                                     : "CREATE SCHEMA " + quoted_name(schema) + " AUTHORIZATION " + quoted_name(role);
  return {Code::not_allowed, "the bot cannot make its tables in schema " + schema, cause.why,
          "as a PostgreSQL superuser in that database run: " + command + ";", cause.source};
}

// The schema exists afterwards and is the only one that unqualified names mean in this transaction.
core::Result<void> enter_schema(Transaction& transaction, const std::string& schema) {
  // Two starts at the same moment: the second waits (lock_timeout) and finds the work done.
  auto state = transaction.exec(
      "SELECT pg_advisory_xact_lock(hashtext('synapse-steward'), hashtext('migrate')), "
      "to_regnamespace($1) IS NOT NULL AS exists, current_user AS role",
      {quoted_name(schema)});
  if (!state) return core::fail(state.error());
  const std::string role = state->at(0).text("role");
  const bool exists = state->at(0).boolean("exists");
  if (exists) {
    auto allowed = transaction.exec("SELECT has_schema_privilege($1, 'USAGE') AND has_schema_privilege($1, 'CREATE') AS may",
                                    {schema});
    if (!allowed) return core::fail(allowed.error());
    if (!allowed->at(0).boolean("may"))
      return core::fail(missing_right({Code::not_allowed, "", "permission denied for schema " + schema, "", "42501"}, schema, role, true));
  } else {
    auto created = transaction.exec("CREATE SCHEMA " + quoted_name(schema));
    if (!created && created.error().code == Code::not_allowed)
      return core::fail(missing_right(created.error(), schema, role, false));
    if (!created) return core::fail(created.error());
  }
  auto entered = transaction.exec("SET LOCAL search_path = " + quoted_name(schema));
  if (!entered) return core::fail(entered.error());
  return {};
}

// The number of the newest migration applied.
core::Result<std::int64_t> applied(Transaction& transaction, const std::string& schema) {
  if (auto entered = enter_schema(transaction, schema); !entered) return core::fail(entered.error());
  auto table = transaction.exec(
      "CREATE TABLE IF NOT EXISTS schema_migration (number integer PRIMARY KEY, name text NOT NULL, "
      "applied_at timestamptz NOT NULL DEFAULT now())");
  if (!table) return core::fail(table.error());
  auto newest = transaction.exec("SELECT coalesce(max(number), 0) AS number FROM schema_migration");
  if (!newest) return core::fail(newest.error());
  return newest->at(0).integer("number");
}

core::Result<void> apply(Transaction& transaction, const std::string& schema, const Migration& migration) {
  auto newest = applied(transaction, schema);
  if (!newest) return core::fail(newest.error());
  if (*newest >= migration.number) return {};
  auto done = transaction.exec(migration.text);
  if (!done) return core::fail(done.error());
  auto noted = transaction.exec("INSERT INTO schema_migration (number, name) VALUES ($1::integer, $2)",
                                {bind(migration.number), std::string(migration.name)});
  if (!noted) return core::fail(noted.error());
  core::log_info("db", "schema={} applied migration {} ({})", schema, migration.number, migration.name);
  return {};
}

}  // namespace

boost::asio::awaitable<core::Result<void>> migrate(Session& store, std::string schema) {
  auto look = [&schema](Transaction& transaction) { return applied(transaction, schema); };
  auto looking = store.transaction(look);
  auto newest = co_await std::move(looking);
  if (!newest) co_return core::fail(newest.error());
  const std::int64_t known = static_cast<std::int64_t>(sql::migrations.size());
  if (*newest > known)
    co_return core::fail(Code::conflict, "the bot's tables belong to a newer version of the bot",
                         "migration " + std::to_string(*newest) + " is applied, this program knows " + std::to_string(known),
                         "start the newer version, or restore the backup that fits this one");
  for (const Migration& migration : sql::migrations) {
    if (migration.number <= *newest) continue;
    auto one = [&schema, &migration](Transaction& transaction) { return apply(transaction, schema, migration); };
    auto applying = store.transaction(one);
    auto done = co_await std::move(applying);
    if (!done) co_return core::fail(done.error());
  }
  co_return core::Result<void>();
}

}  // namespace steward::db
