// One PostgreSQL connection with its own thread. SQL runs only inside a Transaction; leaving it without success rolls back.
// Used by the stores here, by commands and jobs (roles: store, read, work, control). Called from the I/O thread; the
// connection, its transactions and results are touched on the session's thread only. The only place with libpqxx is
// session.cpp: rows are copied into Row before they leave.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/work_thread.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"
#include "db/statement.hpp"

namespace steward::db {

// One row, read by column name. Asking for a column the statement does not return throws std::out_of_range (a bug of ours).
class Row {
 public:
  using Columns = std::shared_ptr<const std::vector<std::string>>;
  Row(Columns columns, std::vector<std::optional<std::string>> cells)
      : columns_(std::move(columns)), cells_(std::move(cells)) {}
  bool is_null(std::string_view column) const;
  std::string text(std::string_view column) const;        // "" for NULL
  std::int64_t integer(std::string_view column) const;     // 0 for NULL
  std::optional<std::int64_t> optional_integer(std::string_view column) const;  // nullopt for NULL
  double number(std::string_view column) const;            // 0 for NULL
  bool boolean(std::string_view column) const;             // false for NULL
  std::vector<std::string> list(std::string_view column) const;  // text[] ; empty for NULL
  std::optional<std::string> cell(std::size_t index) const { return cells_.at(index); }
  const std::vector<std::string>& columns() const { return *columns_; }

 private:
  std::size_t index(std::string_view column) const;
  Columns columns_;
  std::vector<std::optional<std::string>> cells_;
};
using Rows = std::vector<Row>;

// A value bound to a parameter: always text or NULL for the server, typed by the statement (`$1::bigint`).
using Value = std::optional<std::string>;
template <std::integral Number>  // bool gives true/false
Value bind(Number value) {
  if constexpr (std::same_as<Number, bool>) return value ? "true" : "false";
  return std::to_string(value);
}
Value bind_array(const std::vector<std::string>& values);  // text[] literal, quoted
using Values = std::vector<Value>;

// Values by parameter name; a missing or unknown name is Code::internal.
using Arguments = std::vector<std::pair<std::string_view, Value>>;

class Transaction {
 public:
  virtual ~Transaction() = default;
  // Errors: see Session::transaction. After an error the transaction is dead; return the error.
  // Without values `sql` may hold several statements (the last one's rows are returned). bad_input: a NUL byte in a value.
  virtual core::Result<Rows> exec(std::string_view sql, const Values& values = {}) = 0;
  core::Result<Rows> exec(const Statement& statement, const Arguments& arguments);
  // The same as exec(), parsed once per connection; the server keeps its plan where one fits all values.
  virtual core::Result<Rows> exec_prepared(std::string_view sql, const Values& values) = 0;
  // Rows changed by the last exec.
  virtual std::int64_t affected() const = 0;
};

struct SessionOptions {
  std::string name;                // application_name "synapse-steward <name>", thread name, log component
  core::Secret connection;         // a libpq connection string or URI
  std::string search_path;         // "" leaves the default; the bot's own sessions name their schema
  bool read_only = false;          // default_transaction_read_only
  std::chrono::milliseconds statement_timeout = std::chrono::seconds(30);  // per statement, zero: none
  std::chrono::milliseconds lock_timeout = std::chrono::seconds(2);
  std::chrono::seconds connect_timeout{10};
  bool check_connection = false;   // client_connection_check_interval=1s: a killed bot's backend ends (work session)
  // Called on the I/O thread when a connection that had been open is lost (its session locks are gone).
  std::function<void(const core::Error&)> on_lost;
};

class Session {
 public:
  Session(boost::asio::any_io_executor io, SessionOptions options);
  ~Session();  // closes the connection on its thread
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Connects now (else the first use does). unavailable with the server's primary message; never the connection string.
  boost::asio::awaitable<core::Result<void>> connect();
  bool connected() const;

  // Runs `work` on the session's thread inside BEGIN … COMMIT. Commits when it returns a value, rolls back on an error.
  // Errors carry SQLSTATE and the primary message only: unavailable (no connection; the object was thrown away and the next
  // use connects anew; a connection found dead before anything ran is replaced without an error, unless pinned), cancelled (57014 after pg_cancel_backend), timeout (57014 otherwise, 55P03 lock), not_allowed (42501),
  // in_doubt (connection lost during COMMIT), conflict (23505, 40001, 40P01), rejected (others).
  // Calls queue; one at a time. Cancelling the awaiting coroutine does not interrupt the work.
  template <class Work>  // core::Result<T> (Transaction&)
  boost::asio::awaitable<std::invoke_result_t<Work&, Transaction&>> transaction(Work work);

  // One statement in a transaction of its own.
  boost::asio::awaitable<core::Result<Rows>> query(std::string sql, Values values = {});
  boost::asio::awaitable<core::Result<Rows>> query(const Statement& statement, Arguments arguments = {});
  // The same with another statement time-out (reports).
  boost::asio::awaitable<core::Result<Rows>> query_within(std::chrono::milliseconds limit, const Statement& statement,
                                                           Arguments arguments);
  // One statement alone in its string outside a transaction (VACUUM family). A WARNING is an error (rejected); a connection
  // lost meanwhile is in_doubt; refused behind a pooler (not_allowed). Zero: no time limit.
  boost::asio::awaitable<core::Result<void>> alone(std::string sql, std::chrono::milliseconds statement_timeout);

  // The server process of the current connection; 0 when there is none. Changes when the connection is replaced.
  int backend_pid() const;
  // True when PQbackendPID differs from pg_backend_pid(): a transaction-pooling proxy stands between (probed at connect).
  bool behind_pooler() const;

  // While pinned (a session lock was taken on this connection: guard.hpp), a lost connection is not replaced: every call
  // fails with unavailable until unpin(). So nothing runs without the lock that it believes to hold. Any thread.
  void pin();
  void unpin();
  async::WorkThread& thread() { return thread_; }

 private:
  struct Impl;
  // Runs BEGIN, the work and COMMIT on the session thread; `work` returns nullopt on success or the error it wants to leave with.
  std::optional<core::Error> run_in_transaction(const std::function<std::optional<core::Error>(Transaction&)>& work);

  async::WorkThread thread_;
  std::unique_ptr<Impl> impl_;
};

template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&, Transaction&>> Session::transaction(Work work) {
  using Outcome = std::invoke_result_t<Work&, Transaction&>;
  auto on_session_thread = [this, &work]() -> Outcome {
    std::optional<Outcome> outcome;
    std::function<std::optional<core::Error>(Transaction&)> body =
        [&outcome, &work](Transaction& transaction) -> std::optional<core::Error> {
      outcome.emplace(work(transaction));
      if (*outcome) return std::nullopt;
      return outcome->error();
    };
    std::optional<core::Error> failure = run_in_transaction(body);
    if (failure) return std::unexpected(std::move(*failure));
    return std::move(*outcome);
  };
  auto running = async::on_thread(thread_, std::move(on_session_thread));
  co_return co_await std::move(running);
}

}  // namespace steward::db
