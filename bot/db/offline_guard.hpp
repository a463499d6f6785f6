// Proof that Synapse is stopped, and stays so: a session of its own that holds a lock without which Synapse cannot start
// (LOCK TABLE schema_compat_version IN ACCESS EXCLUSIVE MODE: its first query of a start waits for it). Used by what works
// on tables that belong to a stopped Synapse. I/O thread; the lock lives on the session's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::db {

// Sessions of this database that are not the bot's own: "synapse_main (synapse, 127.0.0.1), 3 sessions".
boost::asio::awaitable<core::Result<std::vector<std::string>>> other_sessions(Session& session);
core::Error refused_for(const std::vector<std::string>& sessions);

class OfflineGuard {
 public:
  // `session` is used for nothing else from now on.
  OfflineGuard(boost::asio::any_io_executor io, std::unique_ptr<Session> session);
  ~OfflineGuard();  // releases

  // Takes the lock, then looks who is connected: conflict with their names, and the lock is released again.
  boost::asio::awaitable<core::Result<void>> take();
  bool held() const;
  // The session's server process: still_held() proves from another session that the lock is there.
  int backend_pid() const;
  boost::asio::awaitable<void> release();

  struct State;  // private to offline_guard.cpp

 private:
  std::shared_ptr<State> state_;
};

// Inside a transaction of another session: unavailable when the guard with that process is gone. To be asked after the last
// statement, directly before the commit.
core::Result<void> still_held(Transaction& transaction, int guard_pid);

}  // namespace steward::db
