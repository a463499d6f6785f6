// What must hold before the bot writes: one leader, one writer, the right database, a known schema, no running backup.
// Used by app (leader), command (before every plan) and jobs (each batch). I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "db/session.hpp"

namespace steward::db {

// Both takes pin the session (Session::pin): once its connection is lost, every call on it fails with unavailable until the
// lock is taken again. They wait two seconds for a holder that is just ending, and refuse behind a pooler (not_allowed).
// Session-level advisory locks, keyed by hashtext of a name; they die with the connection.
// take_leader: on the store session, for the life of `run`; conflict names the process that holds it (application, pid,
// client address, since when). take_writer/holds_writer/release_writer: on the work session of Synapse's database.
boost::asio::awaitable<core::Result<void>> take_leader(Session& store);
boost::asio::awaitable<core::Result<void>> take_writer(Session& work);
boost::asio::awaitable<core::Result<bool>> holds_writer(Session& work);
boost::asio::awaitable<core::Result<void>> release_writer(Session& work);

// True when `event` stands in this database's `events`: proof that it belongs to the homeserver the bot talks to.
boost::asio::awaitable<core::Result<bool>> has_event(Session& read, core::EventId event);
// True when a device of the sender sent `event` itself (row in event_txn_id_device_id; absent for masquerading application
// services and impersonation tokens, probed). The sender must match.
boost::asio::awaitable<core::Result<bool>> sent_by_own_device(Session& read, core::EventId event, core::UserId sender);

// The database's address as people name it ("synapse at 127.0.0.1:5432"), never with user or password.
boost::asio::awaitable<core::Result<std::string>> database_name(Session& session);

struct SystemIdentity {
  std::string system_identifier;  // pg_control_system(), or "" without the right
  std::int64_t timeline = 0;
};
boost::asio::awaitable<core::Result<SystemIdentity>> system_identity(Session& session);

struct SchemaState {
  int version = 0;         // schema_version.version
  int compat_version = 0;  // schema_compat_version
  std::vector<std::string> background_updates;   // pending, in order
  std::vector<std::string> unknown_references;    // point at tables we delete from, and room_tables.hpp lacks them
  std::vector<std::string> missing_tables;        // tables that Synapse must have ("state_groups" missing: split database)
  bool recalculation_pending = false;             // rows in sliding_sync_joined_rooms_to_recalculate
};
boost::asio::awaitable<core::Result<SchemaState>> schema_state(Session& read);
// The reason why destructive commands refuse on that schema (facts §2.3, §2.4), or success.
core::Result<void> allows_destruction(const SchemaState& state);
inline constexpr int newest_known_schema = 94;
inline constexpr int oldest_supported_schema = 84;

struct Backup { std::string kind; std::string since; int pid = 0; };  // pg_dump, base backup, walsender backup
boost::asio::awaitable<core::Result<std::vector<Backup>>> running_backups(Session& read);

// pg_cancel_backend through the control session.
boost::asio::awaitable<core::Result<void>> cancel_backend(Session& control, int pid);

}  // namespace steward::db
