#include "db/guard.hpp"

#include "async/tasks.hpp"
#include "db/store_outcome.hpp"
#include "db/sqlstate.hpp"
#include "sql/statements.hpp"

namespace steward::db {
namespace {

using core::Code;
using core::Result;

// The two-number form: Synapse uses no advisory locks, so nothing can collide.
struct Lock {
  const char* name;
  const char* what;  // for people
};
constexpr Lock leader{"leader", "another steward runs on this database"};
constexpr Lock writer{"writer", "another job works on this database"};

// A process that was killed just now keeps its lock until the server notices: at most a second on a work session
// (client_connection_check_interval). So a restart need not fail on its own shadow.
constexpr std::chrono::milliseconds wait_for_lock(2000), retry_pause(200);

// pg_locks shows the two keys as unsigned numbers.
std::string held_by(const char* which_process) {
  return std::string(
             "FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid "
             "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
             "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
             "AND l.classid::bigint = (hashtext('synapse-steward')::bigint & 4294967295) "
             "AND l.objid::bigint = (hashtext($1)::bigint & 4294967295) AND ") +
         which_process;
}

Result<bool> held_here(Transaction& transaction, const Lock& lock) {
  auto rows = transaction.exec("SELECT 1 " + held_by("l.pid = pg_backend_pid()"), {lock.name});
  if (!rows) return core::fail(rows.error());
  return !rows->empty();
}

std::string holder(const Rows& rows) {
  if (rows.empty()) return "it ended just now; try again";
  const Row& row = rows.front();
  std::string text = (row.text("application").empty() ? "an unnamed program" : row.text("application")) + ", process " +
                     row.text("pid");
  if (!row.text("address").empty()) text += ", from " + row.text("address");
  if (!row.text("since").empty()) text += ", since " + row.text("since");
  return text;
}

Result<void> take(Transaction& transaction, const Lock& lock) {
  auto already = held_here(transaction, lock);
  if (!already) return core::fail(already.error());
  if (*already) return {};  // a second one would have to be released twice
  auto taken = transaction.exec("SELECT pg_try_advisory_lock(hashtext('synapse-steward'), hashtext($1)) AS taken", {lock.name});
  if (!taken) return core::fail(taken.error());
  if (taken->at(0).boolean("taken")) return {};
  auto rows = transaction.exec(
      "SELECT l.pid, a.application_name AS application, coalesce(host(a.client_addr), '') AS address, "
      "to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC' AS since " +
          held_by("l.pid <> pg_backend_pid()"),
      {lock.name});
  if (!rows) return core::fail(rows.error());
  return core::fail(Code::conflict, lock.what, holder(*rows), "stop that one first, or leave the work to it");
}

core::Error no_locks_through_a_pooler() {
  return {Code::not_allowed, "writing needs a direct connection to PostgreSQL",
          "a connection pooler stands between: locks and settings would belong to whoever gets its connection next",
          "give the bot the address of PostgreSQL itself, not of the pooler", ""};
}

boost::asio::awaitable<Result<void>> take_and_pin(Session& session, Lock lock) {
  session.unpin();
  auto connecting = session.connect();
  auto connected = co_await std::move(connecting);
  if (!connected) co_return core::fail(connected.error());
  if (session.behind_pooler()) co_return core::fail(no_locks_through_a_pooler());
  auto work = [lock, &session](Transaction& transaction) -> Result<void> {
    auto taken = take(transaction, lock);
    // Already here, on the session's thread: nothing can slip in between the lock and the pin.
    if (taken) session.pin();
    return taken;
  };
  for (auto waited = std::chrono::milliseconds(0);; waited += retry_pause) {
    auto taking = session.transaction(work);
    auto taken = co_await std::move(taking);
    if (taken) co_return taken;
    session.unpin();
    const bool again = taken.error().code == Code::conflict && waited < wait_for_lock;
    if (!again) co_return taken;
    auto pause = async::sleep_for(retry_pause);
    const bool slept = co_await std::move(pause);
    if (!slept) co_return taken;
  }
}

boost::asio::awaitable<Result<bool>> exists(Session& session, const Statement& statement, Arguments arguments) {
  auto reading = session.query(statement, std::move(arguments));
  auto rows = co_await std::move(reading);
  if (!rows && rows.error().source == undefined_table) co_return false;  // no such table: not a homeserver's database at all
  if (!rows) co_return core::fail(rows.error());
  co_return !rows->empty();
}

}  // namespace

boost::asio::awaitable<Result<void>> take_leader(Session& store) {
  auto taking = take_and_pin(store, leader);
  co_return co_await std::move(taking);
}

boost::asio::awaitable<Result<void>> take_writer(Session& work) {
  auto taking = take_and_pin(work, writer);
  co_return co_await std::move(taking);
}

boost::asio::awaitable<Result<bool>> holds_writer(Session& work) {
  auto look = [](Transaction& transaction) { return held_here(transaction, writer); };
  auto looking = work.transaction(look);
  co_return co_await std::move(looking);
}

boost::asio::awaitable<Result<void>> release_writer(Session& work) {
  Values values(1, Value(writer.name));
  auto releasing = work.query("SELECT pg_advisory_unlock(hashtext('synapse-steward'), hashtext($1))", std::move(values));
  auto rows = co_await std::move(releasing);
  work.unpin();
  // With the connection gone the server released it already.
  if (!rows && rows.error().code != Code::unavailable) co_return core::fail(rows.error());
  co_return Result<void>();
}

boost::asio::awaitable<Result<bool>> has_event(Session& read, core::EventId event) {
  Arguments arguments;
  arguments.emplace_back("event", event.str());
  auto looking = exists(read, sql::event_known, std::move(arguments));
  co_return co_await std::move(looking);
}

boost::asio::awaitable<Result<bool>> sent_by_own_device(Session& read, core::EventId event, core::UserId sender) {
  Arguments arguments;
  arguments.emplace_back("event", event.str());
  arguments.emplace_back("sender", sender.str());
  auto looking = exists(read, sql::event_of_device, std::move(arguments));
  co_return co_await std::move(looking);
}

boost::asio::awaitable<Result<std::string>> database_name(Session& session) {
  auto reading = session.query(
      "SELECT current_database() || coalesce(' at ' || CASE WHEN family(inet_server_addr()) = 6 "
      "THEN '[' || host(inet_server_addr()) || ']' ELSE host(inet_server_addr()) END || ':' || inet_server_port(), "
      "' on the local socket') AS name");
  auto rows = co_await std::move(reading);
  if (!rows) co_return core::fail(rows.error());
  co_return rows->at(0).text("name");
}

boost::asio::awaitable<Result<SystemIdentity>> system_identity(Session& session) {
  auto work = [](Transaction& transaction) -> Result<SystemIdentity> {
    SystemIdentity identity;
    auto allowed = transaction.exec(
        "SELECT has_function_privilege('pg_control_system()', 'EXECUTE') "
        "AND has_function_privilege('pg_control_checkpoint()', 'EXECUTE') AS allowed");
    if (!allowed) return core::fail(allowed.error());
    if (!allowed->at(0).boolean("allowed")) return identity;
    auto rows = transaction.exec(
        "SELECT system_identifier::text AS identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()");
    if (!rows) return core::fail(rows.error());
    identity.system_identifier = rows->at(0).text("identifier");
    identity.timeline = rows->at(0).integer("timeline_id");
    return identity;
  };
  auto reading = session.transaction(work);
  co_return co_await std::move(reading);
}

boost::asio::awaitable<Result<std::vector<Backup>>> running_backups(Session& read) {
  // A dump matters in this database only; a base backup copies the whole cluster. Other roles' activity shows less than our
  // own, but its name and process always.
  auto reading = read.query(
      "SELECT kind, pid, coalesce(to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC', '') AS since FROM ("
      "SELECT 'pg_dump' AS kind, pid, backend_start AS since FROM pg_stat_activity "
      "WHERE application_name IN ('pg_dump', 'pg_dumpall') AND datname = current_database() "
      "UNION SELECT 'base backup', p.pid, a.backend_start FROM pg_stat_progress_basebackup p "
      "LEFT JOIN pg_stat_activity a USING (pid) "
      "UNION SELECT 'base backup', pid, backend_start FROM pg_stat_replication WHERE state = 'backup') AS found ORDER BY pid");
  auto backup_from = [](const Row& row) {
    return Backup{row.text("kind"), row.text("since"), static_cast<int>(row.integer("pid"))};
  };
  auto rows = co_await std::move(reading);
  co_return all_of(rows, backup_from);
}

boost::asio::awaitable<Result<void>> cancel_backend(Session& control, int pid) {
  Values values(1, bind(pid));
  auto cancelling = control.query("SELECT pg_cancel_backend($1::integer)", std::move(values));
  co_return nothing(co_await std::move(cancelling));
}

}  // namespace steward::db
