// check-db: whether Synapse's database is set up as it must be: locale, durability, indexes, sequences. Each check is one line with
// its verdict. Three statements over the catalogue, and Synapse's schema state. I/O thread; read session. The manual page is check_db.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/checks.hpp"
#include "commands/database_reports.hpp"
#include "core/text.hpp"
#include "db/guard.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

// The first few of a list, for a line.
std::string some(const std::vector<std::string>& names) {
  std::vector<std::string> first(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(names.size(), 3)));
  for (std::string& name : first) name = core::clean_name(name, 80);
  std::string text = core::join(first, ", ");
  if (names.size() > 3) text += fmt::format(" and {} more", names.size() - 3);
  return text;
}

std::string size(const db::Row& row, const char* column) { return core::format_size(core::Bytes{row.integer(column)}); }

void check_locale(const db::Row& row, Checks& checks) {
  const bool locale = row.text("collate") == "C" && row.text("ctype") == "C" && row.text("encoding") == "UTF8";
  const std::string found = fmt::format("{}, {}, {}", row.text("collate"), row.text("ctype"), row.text("encoding"));
  checks.must("Locale", locale, found, found + "; Synapse wants C, C, UTF8: move the data to a new database");
  checks.must("Collation version", row.text("collation_made") == row.text("collation_now"), "unchanged",
              "the system's library changed: indexes may be out of order; REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION");
}

void check_settings(const db::Row& row, Checks& checks) {
  checks.must("Durability", row.boolean("fsync") && row.boolean("full_page_writes"), "fsync and full_page_writes are on",
              "fsync or full_page_writes is off: a power cut destroys the database");
  checks.must("Autovacuum", row.boolean("autovacuum") && row.boolean("track_counts"), "on", "off: dead rows pile up and transaction numbers run out");
  checks.add("Checksums", Verdict::good, row.boolean("data_checksums") ? "on" : "off; pg_checksums turns them on while PostgreSQL is stopped");
  constexpr std::int64_t standard_buffers = 128LL * 1024 * 1024;
  const std::string memory = fmt::format("shared_buffers {}, effective_cache_size {}, work_mem {}, maintenance_work_mem {}", size(row, "shared_buffers_bytes"),
                                         size(row, "cache_bytes"), size(row, "work_mem_bytes"), size(row, "maintenance_bytes"));
  const bool small = row.integer("shared_buffers_bytes") <= standard_buffers && row.integer("database_bytes") > 8 * standard_buffers;
  checks.should("Memory", !small, memory, memory + "; the default buffers are small for " + size(row, "database_bytes"));
  const std::vector<std::string> timeouts = row.list("own_timeouts");
  checks.should("Time-outs", timeouts.empty(), "none set for the database or a role",
                some(timeouts) + ": Synapse sets its own, and its long tasks may be cut off");
  checks.should("Wraparound", row.integer("transactions_age") <= row.integer("freeze_age") * 2, wraparound_text(row.integer("transactions_age")),
                wraparound_text(row.integer("transactions_age")) + "; autovacuum does not keep up");
  const std::int64_t prepared = row.integer("prepared"), slots = row.integer("inactive_slots");
  checks.should("Left open", prepared + slots == 0, "no prepared transaction, no unused replication slot",
                fmt::format("{}, {}", core::plural(prepared, "prepared transaction", "prepared transactions"),
                            core::plural(slots, "unused replication slot", "unused replication slots")));
}

void check_indexes(const db::Row& row, Checks& checks) {
  const std::vector<std::string> invalid = row.list("invalid"), missing = row.list("missing");
  checks.must("Invalid indexes", invalid.empty(), "none", some(invalid) + ": drop or REINDEX them");
  checks.must("Missing indexes", missing.empty(), fmt::format("none of the {} looked for", row.integer("needed_count")), some(missing) + ": no index begins with that column");
  checks.add("Unused indexes", Verdict::good,
             fmt::format("{}, {}; for information, they belong to Synapse (!query unused-indexes)", core::format_count(row.integer("unused")), size(row, "unused_bytes")));
}

void check_sequences(const db::Row& row, Checks& checks) {
  const std::vector<std::string> behind = row.list("behind");
  std::string good = core::plural(row.integer("looked_at"), "sequence is", "sequences are") + " ahead of the rows";
  if (!row.is_null("fullest")) good += fmt::format("; the fullest, {}, is {:.2f} % used", row.text("fullest"), row.number("fullest_percent"));
  if (row.integer("looked_at") == 0) checks.add("Sequences", Verdict::look, "the bot's role may not read them");
  else checks.must("Sequences", behind.empty(), good, some(behind) + ": Synapse will not start again");
}

void check_schema(const db::SchemaState& state, Checks& checks) {
  const bool known = state.version >= db::oldest_supported_schema && state.version <= db::newest_known_schema;
  checks.should("Schema", known && state.missing_tables.empty(), fmt::format("{}, known to this bot", state.version),
                state.missing_tables.empty() ? fmt::format("{}, which this bot does not know", state.version) : "without " + some(state.missing_tables));
  checks.should("Background updates", state.background_updates.empty(), "none pending",
                some(state.background_updates) + " pending: indexes may be missing until they are done");
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  db::Session& session = **read;
  auto settings = co_await session.query(db::sql::check_settings);
  if (!settings) co_return core::fail(settings.error());
  auto indexes = co_await session.query(db::sql::check_indexes);
  if (!indexes) co_return core::fail(indexes.error());
  auto sequences = co_await session.query(db::sql::check_sequences);
  if (!sequences) co_return core::fail(sequences.error());
  auto schema = co_await db::schema_state(session);
  if (!schema) co_return core::fail(schema.error());
  Checks checks;
  check_locale(settings->front(), checks);
  check_settings(settings->front(), checks);
  check_indexes(indexes->front(), checks);
  check_sequences(sequences->front(), checks);
  check_schema(*schema, checks);
  co_return checks.answer(arguments, "Database", "check-db");
}

}  // namespace

Command check_db() {
  Command command;
  command.spec.name = "check-db";
  command.spec.group = command::Group::database;
  command.spec.summary = "Settings, locale, indexes and sequences of the database";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"check-db", ""}};
  command.manual = manual("check_db");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
