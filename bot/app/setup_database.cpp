#include "app/setup_database.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::app {

namespace {

constexpr std::string_view look = R"(
  SELECT current_user AS role, current_database() AS database,
         to_regclass('users') IS NOT NULL AS has_users,
         CASE WHEN to_regclass('users') IS NULL THEN false
              ELSE has_column_privilege(to_regclass('users'), 'name', 'SELECT')
                   AND has_column_privilege(to_regclass('users'), 'appservice_id', 'SELECT') END AS may_read,
         to_regnamespace($1) IS NOT NULL AS has_schema,
         CASE WHEN to_regnamespace($1) IS NULL THEN has_database_privilege(current_database(), 'CREATE')
              ELSE has_schema_privilege(to_regnamespace($1), 'CREATE') END AS may_write,
         (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser)";

constexpr std::string_view owners = "SELECT name, coalesce(appservice_id, '') AS appservice_id FROM users WHERE name IN ($1, $2)";

std::string quoted_name(const std::string& name) {
  std::string text = "\"";
  for (const char character : name) {
    if (character == '"') text += '"';
    text += character;
  }
  return text + "\"";
}

}  // namespace

boost::asio::awaitable<DatabaseFinding> look_at_database(boost::asio::any_io_executor io, core::Secret connection,
                                                         std::string schema, core::UserId chat, core::UserId sender) {
  DatabaseFinding finding;
  db::SessionOptions options;
  options.name = "setup";
  options.connection = std::move(connection);
  options.read_only = true;
  options.statement_timeout = std::chrono::seconds(10);
  db::Session session(io, std::move(options));
  db::Values names;
  names.emplace_back(quoted_name(schema));
  const auto rows = co_await session.query(std::string(look), std::move(names));
  if (!rows) {
    finding.problem = core::describe(rows.error());
    co_return finding;
  }
  const db::Row& row = rows->front();
  finding.connected = true;
  finding.behind_pooler = session.behind_pooler();
  finding.role = row.text("role");
  finding.database = row.text("database");
  finding.has_users = row.boolean("has_users");
  finding.may_read = row.boolean("may_read");
  finding.has_schema = row.boolean("has_schema");
  finding.may_write = row.boolean("may_write");
  finding.superuser = row.boolean("superuser");
  if (!finding.may_read) co_return finding;
  db::Values users;
  users.emplace_back(chat.str());
  users.emplace_back(sender.str());
  const auto found = co_await session.query(std::string(owners), std::move(users));
  if (found) {
    for (const db::Row& owner : *found) finding.owners[owner.text("name")] = owner.text("appservice_id");
  }
  co_return finding;
}

std::string database_statements(const std::string& database, const std::string& role, const std::string& schema) {
  return fmt::format("  steward setup --grants | psql --dbname='{}'   # makes {}, {}_reader and the schema {}\n", database, role, role, schema);
}

std::string schema_statement(const std::string& role, const std::string& schema) {
  return fmt::format("  CREATE SCHEMA {} AUTHORIZATION {};\n", quoted_name(schema), quoted_name(role));
}

}  // namespace steward::app
