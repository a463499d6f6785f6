#include "commands/repack_tool.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "async/subprocess.hpp"
#include "async/tasks.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "db/connection_string.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;

namespace {

constexpr auto watch_step = std::chrono::milliseconds(100);
constexpr int steps_per_look = 10;
constexpr auto version_limit = std::chrono::seconds(10);
constexpr auto drop_limit = std::chrono::seconds(30);
constexpr auto tidying = std::chrono::seconds(6);  // its own, after an interrupt
constexpr int drop_tries = 4;
constexpr const char* patience = "60";  // seconds for each of its two locks
constexpr const char* our_name = "synapse-steward repack";
constexpr const char* mark_text = "synapse-steward";
// pg_repack asks for its locks by time-outs of at most a second, but tidies up without one: behind a waiting lock nobody can read.
constexpr const char* settings = "-c lock_timeout=3s -c client_connection_check_interval=1s";

db::SessionOptions session_options(const core::Secret& connection) {
  db::SessionOptions options;
  options.name = "repack watch";
  options.connection = connection;
  options.lock_timeout = std::chrono::milliseconds(500);
  return options;
}

std::vector<std::string> usual_places(std::int64_t major) {
  return {fmt::format("/usr/lib/postgresql/{}/bin/pg_repack", major), fmt::format("/usr/pgsql-{}/bin/pg_repack", major), "/usr/bin/pg_repack", "/usr/local/bin/pg_repack"};
}

core::Result<async::Subprocess> prepared(std::string program, const core::Secret& connection) {
  auto environment = db::client_environment(connection, our_name);
  if (!environment) return core::fail(environment.error());
  async::Subprocess subprocess;
  subprocess.program = std::move(program);
  subprocess.environment = std::move(*environment);
  auto options = std::find_if(subprocess.environment.begin(), subprocess.environment.end(), [](const auto& each) { return each.first == "PGOPTIONS"; });
  if (options == subprocess.environment.end()) subprocess.environment.emplace_back("PGOPTIONS", settings);
  else options->second += std::string(" ") + settings;
  return subprocess;
}

std::int64_t number_after(const std::string& line, std::string_view words) {
  std::int64_t number = 0;
  if (const auto at = line.find(words); at != std::string::npos) std::from_chars(line.data() + at + words.size(), line.data() + line.size(), number);
  return number;
}

}  // namespace

std::string repack_complaint(const std::string& line) {
  constexpr std::array<std::string_view, 4> levels{"WARNING: ", "ERROR: ", "FATAL: ", "PANIC: "};
  const auto level = std::find_if(levels.begin(), levels.end(), [&line](std::string_view each) { return line.starts_with(each); });
  // Its own answer to the interrupt.
  if (level == levels.end() || line.find("Cancel request sent") != std::string::npos) return {};
  std::string text = line.substr(level->size());
  if (text.find("could not connect") != std::string::npos) return "it could not connect to the database";
  for (std::string_view sql : {"async query: ", "invalid index: "})
    if (const auto at = text.find(sql); at != std::string::npos) text.resize(at + sql.size() - 2);
  return core::clean_name(text, 200);
}

RepackTool::RepackTool(boost::asio::any_io_executor io, const command::Options& options)
    : io_(io), given_program_(options.repack_program), connection_(options.repack_connection), session_(io, session_options(options.repack_connection)) {}

awaitable<core::Result<RepackState>> RepackTool::look(std::string table, const db::Session& peer) {
  db::Arguments arguments;
  arguments.emplace_back("peer", db::bind(peer.backend_pid()));
  arguments.emplace_back("table", std::move(table));
  auto rows = co_await session_.query(db::sql::repack_state, std::move(arguments));
  if (!rows) co_return core::fail(rows.error());
  const db::Row& row = rows->front();
  RepackState state;
  state.extension = row.text("extension");
  state.superuser = row.boolean("superuser");
  state.same_database = row.boolean("same_database");
  state.has_key = row.boolean("has_key");
  state.busy_by = row.text("busy_by");
  state.ours = row.text("mark") == mark_text;
  state.major = row.integer("major");
  state.oid = row.integer("oid");
  state.filenode = row.integer("filenode");
  state.invalid_index = row.text("invalid_index");
  state.leftovers = row.list("leftovers");
  co_return state;
}

awaitable<core::Result<std::string>> RepackTool::version_of(std::string program) {
  async::Subprocess asking;
  asking.program = std::move(program);
  asking.arguments = {"--version"};
  asking.limit = version_limit;
  std::string said;
  asking.on_line = [&said](std::string line) { said += said.empty() ? line : ""; };
  auto running = async::run(io_, std::move(asking));
  auto ended = co_await std::move(running);
  if (!ended) co_return core::fail(ended.error());
  if (ended->exit_code != 0 || !said.starts_with("pg_repack "))
    co_return core::fail(core::Code::rejected, "The program of `repack.program` is not pg_repack", "it does not tell its version as pg_repack does");
  co_return core::clean_name(said.substr(10));
}

awaitable<core::Result<std::string>> RepackTool::check(RepackState state) {
  if (state.extension.empty())
    co_return core::fail(core::Code::not_found, "The extension pg_repack is not installed in Synapse's database", "!repack works by it",
                         "install its package on the database server and let a superuser run CREATE EXTENSION pg_repack there; !vacuum-full needs neither");
  if (!state.same_database)
    co_return core::fail(core::Code::conflict, "`repack.database` is not Synapse's database", "the bot's own connection is not seen there", "name the database of `database.synapse`");
  if (!state.superuser)
    co_return core::fail(core::Code::not_allowed, "pg_repack works for a database superuser only", "the bot's role is none",
                         "give `repack.database` the connection string of a superuser; nothing else uses it");
  program_ = given_program_;
  for (const std::string& place : usual_places(state.major))
    if (program_.empty() && access(place.c_str(), X_OK) == 0) program_ = place;
  if (program_.empty() || access(program_.c_str(), X_OK) != 0)
    co_return core::fail(core::Code::not_found, "The program pg_repack was not found on the bot's host", given_program_.empty() ? "it is not where PostgreSQL's packages put it" : "there is no program at `repack.program`",
                         "install its package here too, in version " + state.extension + ", or set `repack.program`");
  auto version = co_await version_of(program_);
  if (!version) co_return core::fail(version.error());
  if (*version != state.extension)
    co_return core::fail(core::Code::conflict, "pg_repack's program and extension do not fit", fmt::format("the program is {}, the extension in the database {}", *version, state.extension),
                         "bring both to one version: DROP EXTENSION pg_repack and CREATE EXTENSION pg_repack take the database server's");
  co_return version;
}

awaitable<core::Result<RepackEnd>> RepackTool::run(SpaceTable table, RepackState state, jobs::Progress& progress) {
  auto subprocess = prepared(program_, connection_);
  if (!subprocess) co_return core::fail(subprocess.error());
  // --no-kill-backend: without it pg_repack ends whoever is in its way. It analyses without a limit of time; that is done after it.
  subprocess->arguments = {"--table=" + table.quoted, "--no-kill-backend", std::string("--wait-timeout=") + patience, "--no-analyze", "--no-order", "--no-password"};
  subprocess->grace = tidying;
  Run run;
  run.doing = "repack " + table.name;
  subprocess->stop = [&progress] { return progress.stopping(); };
  subprocess->on_line = [&run](std::string line) {
    if (const std::int64_t pid = number_after(line, "First PID: "); pid != 0) run.waits = pid;
    std::string complaint = repack_complaint(line);
    if (run.trouble.empty()) run.trouble = std::move(complaint);
  };
  async::TaskGroup watchers(io_, [](const std::string&, const std::string&) {});  // the group logs it; the work goes on
  async::TaskGroup::Task watcher = [this, table, state, &progress, &run] { return watch(table, state, progress, run); };
  watchers.spawn("progress of pg_repack", std::move(watcher));
  auto running = async::run(io_, std::move(*subprocess));
  auto ended = co_await std::move(running);
  watchers.cancel_all();
  for (bool joined = false; !joined;) joined = co_await watchers.join(std::chrono::seconds(1));
  if (!ended) co_return core::fail(ended.error());
  RepackEnd end;
  end.stopped = ended->stopped;
  end.trouble = std::move(run.trouble);
  if (end.trouble.starts_with("timed out, do not cancel"))
    end.trouble = "its lock was not free for a minute" + (run.blocker.empty() ? std::string() : ": " + run.blocker + " held it");
  if (end.trouble.empty() && ended->timed_out) end.trouble = "it was not done within twelve hours";
  if (end.trouble.empty() && ended->exit_code != 0) end.trouble = "pg_repack ended without saying why";
  co_return end;
}

awaitable<void> RepackTool::watch(SpaceTable table, RepackState state, jobs::Progress& progress, Run& run) {
  for (int step = 0;; ++step) {
    if (!run.marked) co_await mark(table, state, run);
    if (step % steps_per_look == 0) co_await show(state, progress, run);
    const bool on = co_await async::sleep_for(watch_step);
    if (!on) co_return;
  }
}

// So that whoever finds the log later knows whose it is. No two can work on one table, and there was none before this run.
awaitable<void> RepackTool::mark(SpaceTable table, RepackState state, Run& run) {
  auto seen = co_await look(table.name, session_);
  if (!seen || seen->leftovers.empty() || seen->busy_by != our_name) co_return;
  auto marking = session_.alone(fmt::format("COMMENT ON TABLE repack.log_{} IS '{}'", state.oid, mark_text), drop_limit);
  auto marked = co_await std::move(marking);
  run.marked = marked.has_value();
}

awaitable<void> RepackTool::show(RepackState state, jobs::Progress& progress, Run& run) {
  db::Arguments arguments;
  arguments.emplace_back("oid", db::bind(state.oid));
  arguments.emplace_back("waits", db::bind(run.waits));
  run.waits = 0;
  auto rows = co_await session_.query(db::sql::repack_progress, std::move(arguments));
  if (!rows) co_return;
  const db::Row& row = rows->front();
  std::string text = run.doing;
  if (!row.text("phase").empty()) text += ": " + row.text("phase");
  if (row.integer("total") > 0) text += fmt::format(" {} %", std::min<std::int64_t>(100, row.integer("done") * 100 / row.integer("total")));
  if (!row.text("waits_for").empty()) {
    run.blocker = core::clean_name(row.text("waits_for"), 120);
    text += " · waits for " + run.blocker;
  }
  progress.header(std::move(text));
}

awaitable<core::Result<void>> RepackTool::drop(RepackState state) {
  if (!state.ours || !state.busy_by.empty()) co_return core::fail(core::Code::not_allowed, "It is not known to be of a run that the bot started");
  core::Result<void> dropped;
  for (int attempt = 1; attempt <= drop_tries; ++attempt) {
    auto dropping = session_.alone(fmt::format("SELECT repack.repack_drop({}, 4)", state.oid), drop_limit);
    dropped = co_await std::move(dropping);
    if (dropped || dropped.error().code != core::Code::timeout) co_return dropped;
    co_await async::sleep_for(std::chrono::milliseconds(500));
  }
  co_return dropped;
}

}  // namespace steward::commands
