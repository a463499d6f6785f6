// The only file that knows libpqxx 6.4 (and, for notices with their severity, libpq).
#include "db/session.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <future>
#include <map>
#include <pqxx/pqxx>
#include <stdexcept>

#include "core/log.hpp"
#include "db/connection_string.hpp"
#include "db/grants.hpp"
#include "db/sqlstate.hpp"

namespace steward::db {
namespace {

using core::Code;
using core::Error;
using Clock = std::chrono::steady_clock;

// What the server said beside results. One per thread is one per session: a session has its thread to itself.
struct Notices {
  std::string warning;  // the first one since it was cleared
  std::string farewell;  // FATAL: why the server ended the connection
};
thread_local Notices notices;
// The same connection as libpq knows it: libpqxx 6 hides why a connection broke. Null when there is none.
thread_local PGconn* raw_connection = nullptr;

std::string current_role() {
  const char* name = raw_connection ? PQuser(raw_connection) : nullptr;
  return name ? name : "";
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text ? text : "";
}

// libpq calls this while it reads; libpqxx's own handlers would hide the severity in a localised text.
extern "C" void steward_db_take_notice(void*, const PGresult* result) {
  try {
    const std::string severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity == "WARNING" && notices.warning.empty()) notices.warning = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (severity == "FATAL" || severity == "PANIC") notices.farewell = field(result, PG_DIAG_MESSAGE_PRIMARY);
  } catch (const std::exception&) {
    // Out of memory inside C code: the notice is lost, nothing else.
  }
}

// Connection policies end with libpqxx 7; there set_notice_handler takes this place.
class NoticingConnect : public pqxx::connect_direct {
 public:
  using connect_direct::connect_direct;
  handle do_startconnect(handle original) override {
    handle connection = connect_direct::do_startconnect(original);
    PQsetNoticeReceiver(connection, &steward_db_take_notice, nullptr);
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);  // puts the SQLSTATE into the text: libpqxx 6 drops some
    raw_connection = connection;
    return connection;
  }
};
using Connection = pqxx::basic_connection_base<NoticingConnect>;

void forbid_silent_reconnect(Connection& connection) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
}

struct Failure {
  Error error;
  bool connection_broken = false;
};

Failure lost_now(const char* thrown) {
  if (!notices.farewell.empty()) return {connection_lost(std::exchange(notices.farewell, {})), true};
  const char* told = raw_connection ? PQerrorMessage(raw_connection) : "";
  return {connection_lost(read_message(*told ? told : thrown).text), true};
}

// Must be called inside a catch block.
Failure current_failure(std::chrono::milliseconds elapsed, std::chrono::milliseconds limit) {
  try {
    throw;
  } catch (const pqxx::too_many_connections& thrown) {
    return {error_of("53300", read_message(thrown.what()).text, elapsed, limit), true};
  } catch (const pqxx::broken_connection& thrown) {
    return lost_now(thrown.what());
  } catch (const pqxx::in_doubt_error& thrown) {
    return lost_now(thrown.what());
  } catch (const std::exception& thrown) {
    const Message message = read_message(thrown.what());
    if (!message.sqlstate.empty())
      return {error_of(message.sqlstate, message.text, elapsed, limit), ends_connection(message.sqlstate)};
    return {{Code::internal, "a database call failed inside the bot", message.text, "", ""}};
  }
}

Rows copy(const pqxx::result& result) {
  std::vector<std::string> names;
  for (pqxx::row::size_type i = 0; i < result.columns(); ++i) names.emplace_back(result.column_name(i));
  auto columns = std::make_shared<const std::vector<std::string>>(std::move(names));
  Rows rows;
  rows.reserve(result.size());
  for (const pqxx::row& row : result) {
    std::vector<std::optional<std::string>> cells;
    cells.reserve(row.size());
    for (const pqxx::field& each : row) {
      if (each.is_null())
        cells.emplace_back();
      else
        cells.emplace_back(std::in_place, each.c_str(), each.size());
    }
    rows.emplace_back(columns, std::move(cells));
  }
  return rows;
}

bool holds_nul(const Values& values) {
  return std::any_of(values.begin(), values.end(),
                     [](const Value& value) { return value && value->find('\0') != std::string::npos; });
}

// libpqxx 6 takes null pointers for NULL.
std::vector<const char*> parameters_of(const Values& values) {
  std::vector<const char*> parameters;
  for (const Value& value : values) parameters.push_back(value ? value->c_str() : nullptr);
  return parameters;
}

pqxx::result send(pqxx::transaction_base& transaction, std::string_view sql, const Values& values) {
  if (values.empty()) return transaction.exec(std::string(sql));
  const auto parameters = parameters_of(values);
  return transaction.exec_params(std::string(sql), pqxx::prepare::make_dynamic_params(parameters.begin(), parameters.end()));
}

// The statements that a connection has prepared, by their text. Session thread.
class Prepared {
 public:
  void clear() { names_.clear(); }
  pqxx::result send(Connection& connection, pqxx::transaction_base& transaction, std::string_view sql, const Values& values) {
    auto known = names_.find(sql);
    if (known == names_.end()) {
      known = names_.emplace(std::string(sql), "steward" + std::to_string(names_.size())).first;
      connection.prepare(known->second, known->first);  // sent with the first use
    }
    const auto parameters = parameters_of(values);
    return transaction.exec_prepared(known->second, pqxx::prepare::make_dynamic_params(parameters.begin(), parameters.end()));
  }

 private:
  std::map<std::string, std::string, std::less<>> names_;
};

class OpenTransaction final : public Transaction {
 public:
  // `prepared` is null behind a pooler: what is prepared there would belong to another client's connection.
  OpenTransaction(Connection& connection, Prepared* prepared, std::chrono::milliseconds limit)
      : connection_(connection), prepared_(prepared), work_(connection), limit_(limit) {}

  using Transaction::exec;
  core::Result<Rows> exec(std::string_view sql, const Values& values) override {
    return sent([&] { return send(work_, sql, values); }, values);
  }
  core::Result<Rows> exec_prepared(std::string_view sql, const Values& values) override {
    if (!prepared_) return exec(sql, values);
    return sent([&] { return prepared_->send(connection_, work_, sql, values); }, values);
  }

  std::int64_t affected() const override { return affected_; }
  const std::optional<Failure>& failure() const { return failure_; }
  void commit() { work_.commit(); }

 private:
  template <class Send>  // pqxx::result ()
  core::Result<Rows> sent(Send sending, const Values& values) {
    if (failure_) return core::fail(failure_->error);
    if (holds_nul(values)) {
      failure_ = Failure{{Code::bad_input, "the text holds a NUL byte", "PostgreSQL cannot store it", "", ""}};
      return core::fail(failure_->error);
    }
    const auto began = Clock::now();
    try {
      const pqxx::result result = sending();
      affected_ = static_cast<std::int64_t>(result.affected_rows());
      return copy(result);
    } catch (const std::exception&) {
      failure_ = current_failure(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began), limit_);
      return core::fail(failure_->error);
    }
  }

  Connection& connection_;
  Prepared* prepared_;
  pqxx::work work_;
  std::chrono::milliseconds limit_;
  std::int64_t affected_ = 0;
  std::optional<Failure> failure_;
};

}  // namespace

struct Session::Impl {
  boost::asio::any_io_executor io;
  SessionOptions options;
  std::unique_ptr<Connection> connection;  // session thread only
  Prepared prepared;                       // on this connection
  bool set_locally = false;                // start-up options are refused or dropped on the way (pooler)
  std::atomic<int> pid{0};
  std::atomic<bool> pooler{false};
  std::atomic<bool> pinned{false};

  std::optional<Error> open();
  std::optional<Error> connect_once();
  void close();
  void lost(const Error& error);
  void lost_if_broken(const Failure& failure);
  std::optional<Failure> begin(std::optional<OpenTransaction>& transaction);
  std::optional<Error> run(const std::function<std::optional<Error>(Transaction&)>& body);
  std::optional<Error> commit(OpenTransaction& transaction);
  std::optional<Failure> set_statement_timeout(std::chrono::milliseconds limit);
  core::Result<void> alone(const std::string& sql, std::chrono::milliseconds limit);
};

std::optional<Error> Session::Impl::open() {
  if (connection) return std::nullopt;
  if (pinned) return connection_lost("the lock that was held on it is gone with it");
  return connect_once();
}

std::optional<Error> Session::Impl::connect_once() {
  notices = {};
  try {
    auto text = complete_connection_string(options, !set_locally);
    if (!text) return text.error();
    auto fresh = std::make_unique<Connection>(*text);
    forbid_silent_reconnect(*fresh);
    const int claimed = fresh->backendpid();
    const int actual = pqxx::nontransaction(*fresh).exec("SELECT pg_backend_pid()")[0][0].as<int>();
    pooler = claimed != actual;
    // A pooler that lets start-up options pass may still drop them.
    set_locally = claimed != actual;
    connection = std::move(fresh);
    pid = actual;
    return std::nullopt;
  } catch (const std::exception& thrown) {
    if (!set_locally && std::string_view(thrown.what()).find("unsupported startup parameter") != std::string_view::npos) {
      set_locally = true;
      return connect_once();
    }
    set_locally = false;
    raw_connection = nullptr;
    Error error = current_failure({}, {}).error;
    if (error.code == Code::unavailable) error.what = "the database cannot be reached";
    if (error.code == Code::unavailable) error.next = "check that PostgreSQL runs and that the address is right";
    return error;
  }
}

void Session::Impl::close() {
  raw_connection = nullptr;
  connection.reset();
  prepared.clear();
  pid = 0;
}

void Session::Impl::lost(const Error& error) {
  close();
  core::log_info("db", "session={} connection lost: {}", options.name, error.why);
  if (options.on_lost) boost::asio::post(io, [callback = options.on_lost, error] { callback(error); });
}

void Session::Impl::lost_if_broken(const Failure& failure) {
  if (connection && (failure.connection_broken || !connection->is_open())) lost(failure.error);
}

// Nothing of the caller's has run when this fails.
std::optional<Failure> Session::Impl::begin(std::optional<OpenTransaction>& transaction) {
  try {
    transaction.emplace(*connection, pooler ? nullptr : &prepared, options.statement_timeout);
    if (set_locally) {
      auto set = transaction->exec(local_settings(options), {});
      if (!set) return transaction->failure();
    }
    return std::nullopt;
  } catch (const std::exception&) {
    return current_failure({}, {});
  }
}

std::optional<Error> Session::Impl::commit(OpenTransaction& transaction) {
  try {
    transaction.commit();
    return std::nullopt;
  } catch (const std::exception&) {
    Failure failure = current_failure({}, {});
    const bool broken = failure.connection_broken || !connection->is_open();
    // A read that was answered in full has nothing to doubt, but its caller need not know the difference.
    if (broken && !options.read_only) {
      failure.error.code = Code::in_doubt;
      failure.error.what = "the connection was lost during a commit";
      failure.error.next = "look up what was stored before anything else";
    }
    return failure.error;
  }
}

std::optional<Error> Session::Impl::run(const std::function<std::optional<Error>(Transaction&)>& body) {
  for (int attempt = 1;; ++attempt) {
    if (auto error = open()) return error;
    std::optional<OpenTransaction> transaction;
    if (auto failure = begin(transaction)) {
      transaction.reset();
      lost_if_broken(*failure);
      if (connection || attempt == 2 || pinned) return failure->error;
      continue;
    }
    std::optional<Error> error;
    try {
      error = body(*transaction);
    } catch (const std::exception& thrown) {
      error = Error{Code::internal, "reading a database answer failed", thrown.what(), "", ""};
    }
    const std::optional<Failure> failure = transaction->failure();
    if (!error && failure) error = failure->error;  // the body ignored it, but nothing can be committed any more
    if (!error) error = commit(*transaction);
    transaction.reset();
    if (error) lost_if_broken(failure ? *failure : Failure{*error});
    return error;
  }
}

std::optional<Failure> Session::Impl::set_statement_timeout(std::chrono::milliseconds limit) {
  try {
    pqxx::nontransaction(*connection).exec("SET statement_timeout = " + std::to_string(limit.count()));
    return std::nullopt;
  } catch (const std::exception&) {
    return current_failure({}, {});
  }
}

core::Result<void> Session::Impl::alone(const std::string& sql, std::chrono::milliseconds limit) {
  for (int attempt = 1;; ++attempt) {
    if (auto error = open()) return core::fail(std::move(*error));
    if (pooler)
      return core::fail(Code::not_allowed, "this cannot run through a connection pooler",
                        "its time limit would leak into other clients", "connect the bot to PostgreSQL directly");
    auto failure = set_statement_timeout(limit);
    if (!failure) break;
    lost_if_broken(*failure);
    if (connection || attempt == 2 || pinned) return core::fail(std::move(failure->error));
  }
  notices.warning.clear();
  std::optional<Failure> failure;
  const auto began = Clock::now();
  try {
    pqxx::nontransaction(*connection).exec(sql);
  } catch (const std::exception&) {
    failure = current_failure(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began), limit);
    lost_if_broken(*failure);
    if (!connection) failure->error.code = Code::in_doubt;
  }
  const std::string warning = std::exchange(notices.warning, {});
  if (connection) {
    if (auto not_reset = set_statement_timeout(options.statement_timeout)) lost(not_reset->error);
  }
  if (failure) return core::fail(std::move(failure->error));
  if (!warning.empty()) return core::fail(Code::rejected, "the database did only a part of it", warning);
  return {};
}

Session::Session(boost::asio::any_io_executor io, SessionOptions options)
    : thread_("db-" + options.name), impl_(std::make_unique<Impl>()) {
  impl_->io = std::move(io);
  impl_->options = std::move(options);
}

Session::~Session() {
  std::promise<void> closed;
  boost::asio::post(thread_.executor(), [this, &closed] {
    impl_->close();
    closed.set_value();
  });
  closed.get_future().wait();
}

boost::asio::awaitable<core::Result<void>> Session::connect() {
  auto open = [this]() -> core::Result<void> {
    if (auto error = impl_->open()) return core::fail(std::move(*error));
    return {};
  };
  auto running = async::on_thread(thread_, std::move(open));
  co_return co_await std::move(running);
}

bool Session::connected() const { return impl_->pid != 0; }
int Session::backend_pid() const { return impl_->pid; }
bool Session::behind_pooler() const { return impl_->pooler; }
void Session::pin() { impl_->pinned = true; }
void Session::unpin() { impl_->pinned = false; }

std::optional<Error> Session::run_in_transaction(const std::function<std::optional<Error>(Transaction&)>& work) {
  return impl_->run(work);
}

boost::asio::awaitable<core::Result<Rows>> Session::query(std::string sql, Values values) {
  auto work = [sql = std::move(sql), values = std::move(values)](Transaction& transaction) {
    return transaction.exec(sql, values);
  };
  auto running = transaction(std::move(work));
  co_return co_await std::move(running);
}

boost::asio::awaitable<core::Result<Rows>> Session::query(const Statement& statement, Arguments arguments) {
  auto work = [&statement, arguments = std::move(arguments)](Transaction& transaction) {
    return transaction.exec(statement, arguments);
  };
  auto running = transaction(std::move(work));
  co_return co_await std::move(running);
}

boost::asio::awaitable<core::Result<Rows>> Session::query_within(std::chrono::milliseconds limit, const Statement& statement,
                                                                  Arguments arguments) {
  auto work = [limit, &statement, arguments = std::move(arguments)](Transaction& transaction) -> core::Result<Rows> {
    auto set = transaction.exec("SET LOCAL statement_timeout = " + std::to_string(limit.count()));
    if (!set) return set;
    return transaction.exec(statement, arguments);
  };
  auto running = transaction(std::move(work));
  co_return co_await std::move(running);
}

boost::asio::awaitable<core::Result<void>> Session::alone(std::string sql, std::chrono::milliseconds statement_timeout) {
  auto work = [this, sql = std::move(sql), statement_timeout] { return impl_->alone(sql, statement_timeout); };
  auto running = async::on_thread(thread_, std::move(work));
  co_return co_await std::move(running);
}

core::Result<Rows> Transaction::exec(const Statement& statement, const Arguments& arguments) {
  Values values(statement.parameters.size());
  std::vector<bool> given(values.size());
  auto wrong = [&](std::string_view problem, std::string_view name) {
    return core::fail(Code::internal, "statement " + std::string(statement.name) + " is called wrongly",
                      std::string(problem) + " parameter " + std::string(name));
  };
  for (const auto& [name, value] : arguments) {
    const auto at = std::find(statement.parameters.begin(), statement.parameters.end(), name);
    if (at == statement.parameters.end()) return wrong("unknown", name);
    const auto position = static_cast<std::size_t>(at - statement.parameters.begin());
    if (given[position]) return wrong("doubled", name);
    given[position] = true;
    values[position] = value;
  }
  for (std::size_t i = 0; i < given.size(); ++i)
    if (!given[i]) return wrong("missing", statement.parameters[i]);
  auto rows = statement.prepared ? exec_prepared(statement.text, values) : exec(statement.text, values);
  if (!rows && rows.error().code == Code::rejected) rows.error().what += " (" + std::string(statement.name) + ")";
  if (!rows && rows.error().code == Code::not_allowed) {
    if (std::string grant = grant_for(statement, rows.error().why, current_role()); !grant.empty())
      rows.error().next = "the owner of the table runs: " + grant + " (steward setup --grants prints all of them)";
  }
  return rows;
}

}  // namespace steward::db
