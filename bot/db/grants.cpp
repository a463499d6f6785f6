#include "db/grants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/text.hpp"
#include "db/room_tables.hpp"
#include "sql/statements.hpp"

namespace steward::db {
namespace {

using Key = std::pair<std::string_view, std::string_view>;  // table, privilege

void add(std::map<Key, std::set<std::string_view>>& grants, std::string_view privilege, std::string_view table,
         const std::vector<std::string_view>& columns) {
  const auto [found, fresh] = grants.try_emplace({table, privilege});
  const bool whole = !fresh && found->second.empty();
  if (columns.empty()) found->second.clear();
  else if (!whole) found->second.insert(columns.begin(), columns.end());
}

std::string_view key_column(RoomKey key) {
  switch (key) {
    case RoomKey::room: return "room_id";
    case RoomKey::event: return "event_id";
    case RoomKey::state_group: return "state_group";
    case RoomKey::alias: return "room_alias";
    case RoomKey::auth_chain: return "origin_chain_id";
  }
  return "room_id";
}

// What is put together in C++ and stands in no file of sql/: deleting rooms goes through the registry.
void add_room_tables(std::map<Key, std::set<std::string_view>>& grants) {
  for (const RoomTable& table : room_tables()) {
    if (table.action != RoomAction::purge && table.action != RoomAction::orphan) continue;
    add(grants, "DELETE", table.name, {});
    add(grants, "SELECT", table.name, {key_column(table.key)});
    if (table.key == RoomKey::auth_chain) add(grants, "SELECT", table.name, {"origin_sequence_number"});
    if (!table.event.empty()) add(grants, "SELECT", table.name, {table.event});
  }
  add(grants, "SELECT", "events", {"event_id", "room_id"});
  add(grants, "SELECT", "event_auth_chains", {"chain_id", "event_id", "sequence_number"});
  add(grants, "UPDATE", "schema_compat_version", {});  // LOCK TABLE asks for it: the guard that keeps a stopped Synapse from starting
}

std::string quoted(std::string_view name) { return fmt::format("\"{}\"", name); }

std::string columns_of(const std::set<std::string_view>& columns) {
  if (columns.empty()) return {};
  std::vector<std::string> names;
  for (const std::string_view name : columns) names.emplace_back(name);
  return " (" + core::join(names, ", ") + ")";
}

// The needed rights as a relation: privilege, name, columns.
std::string as_values(const std::vector<Grant>& grants) {
  std::vector<std::string> rows;
  for (const Grant& grant : grants) {
    std::vector<std::string> names;
    for (const std::string_view name : grant.columns) names.emplace_back(name);
    rows.push_back(fmt::format("  ('{}', '{}', '{{{}}}'::text[])", grant.privilege, grant.table, core::join(names, ",")));
  }
  return "(VALUES\n" + core::join(rows, ",\n") + ") AS needed (privilege, name, columns)";
}

// GRANTs to `role` (an SQL expression) for what is here and fits `which` (a condition on t, the table, and a, the column or NULL).
std::string grants_here(Role role, std::string_view who, std::string_view which) {
  return fmt::format(
      "SELECT t.relname AS name, format('GRANT %s%s ON public.%I TO %I', needed.privilege,\n"
      "         coalesce(' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) || ')', ''), t.relname, {}) AS statement\n"
      "FROM {}\n"
      "JOIN pg_class t ON t.relname = needed.name AND t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')\n"
      "LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND NOT a.attisdropped AND a.attname = ANY (needed.columns)\n"
      "WHERE (needed.columns = '{{}}' OR a.attname IS NOT NULL) AND {}\n"
      "GROUP BY needed.privilege, t.relname ORDER BY t.relname, needed.privilege",
      who, as_values(needed_grants(role)), which);
}

constexpr std::string_view script_start = R"(-- Roles of synapse-steward. A superuser runs this in Synapse's database, and again after each update of the bot:
--   steward setup --grants | psql --dbname=synapse
-- The reader runs reports: single columns, none with a secret. The writer plans and works: what those statements of the bot
-- change, nothing else. Other names: psql -v reader=… -v writer=…
\set ON_ERROR_STOP on
\if :{{?reader}}
\else
\set reader steward_reader
\endif
\if :{{?writer}}
\else
\set writer steward
\endif
SELECT format('CREATE ROLE %I LOGIN', name) FROM (VALUES (:'reader'), (:'writer')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I', current_database(), :'reader', :'writer') \gexec
GRANT USAGE ON SCHEMA public TO :"reader", :"writer";
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO :"reader", :"writer";  -- numbers only
GRANT pg_monitor TO :"reader", :"writer";  -- who is connected, sizes, replicas
GRANT pg_signal_backend TO :"writer";      -- db-stop
CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION :"writer";  -- the bot's own tables
)";

constexpr std::string_view script_end = R"(-- VACUUM, ANALYZE and REINDEX need MAINTAIN, and before PostgreSQL 17 the owner of the tables: there these commands are
-- refused to the writer, unless it is a member of Synapse's role, with all that this role may.
SELECT format('GRANT MAINTAIN ON ALL TABLES IN SCHEMA public TO %I', :'writer') WHERE current_setting('server_version_num')::integer >= 170000 \gexec
\echo 'Now give both roles a password: \\password steward, \\password steward_reader'
\echo then name them in steward.yaml: database.synapse (the writer) and database.reader
)";

std::string only_statement(std::string_view query) { return fmt::format("SELECT statement FROM (\n{}) AS grants \\gexec\n", query); }

bool names_table(std::string_view message, std::string_view table) {
  const auto part_of_word = [](char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  for (std::size_t at = message.find(table); at != std::string_view::npos; at = message.find(table, at + 1)) {
    const std::size_t end = at + table.size();
    if ((at == 0 || !part_of_word(message[at - 1])) && (end == message.size() || !part_of_word(message[end]))) return true;
  }
  return false;
}

}  // namespace

std::vector<Grant> needed_grants(Role role) {
  std::map<Key, std::set<std::string_view>> grants;
  for (const Statement* statement : sql::all_statements) {
    if (role == Role::reader && statement->role != Role::reader) continue;
    for (const Right& right : statement->rights) add(grants, right.privilege, right.table, right.columns);
  }
  if (role == Role::writer) add_room_tables(grants);
  std::vector<Grant> all;
  for (auto& [key, columns] : grants) all.push_back({key.second, key.first, std::move(columns)});
  return all;
}

std::string grants_script(std::string_view schema) {
  return fmt::format(script_start, quoted(schema)) + only_statement(grants_here(Role::reader, ":'reader'", "true")) +
         only_statement(grants_here(Role::writer, ":'writer'", "true")) + std::string(script_end);
}

boost::asio::awaitable<core::Result<std::vector<MissingRight>>> missing_rights(Session& session, Role role) {
  constexpr std::string_view lacking =
      "NOT CASE WHEN a.attname IS NULL THEN has_table_privilege(t.oid, needed.privilege) "
      "ELSE has_column_privilege(t.oid, a.attnum, needed.privilege) END";
  auto asking = session.query(grants_here(role, "current_user", lacking));
  auto rows = co_await std::move(asking);
  if (!rows) co_return core::fail(rows.error());
  std::vector<MissingRight> missing;
  for (const Row& row : *rows) missing.push_back({row.text("name"), row.text("statement")});
  co_return missing;
}

std::string grant_for(const Statement& statement, std::string_view message, std::string_view role) {
  for (const Right& right : statement.rights) {
    if (!names_table(message, right.table)) continue;
    std::vector<std::string> grants;
    for (const Right& other : statement.rights)
      if (other.table == right.table)
        grants.push_back(std::string(other.privilege) + columns_of({other.columns.begin(), other.columns.end()}));
    return fmt::format("GRANT {} ON {} TO {};", core::join(grants, ", "), right.table, quoted(role));
  }
  return {};
}

}  // namespace steward::db
