// The doctor's look at PostgreSQL: the right database, direct, readable, with a schema we know; and the bot's own memory.
#include <algorithm>

#include "app/check_report.hpp"
#include "app/setup_database.hpp"
#include "core/text.hpp"
#include "db/grants.hpp"
#include "db/guard.hpp"
#include "db/session.hpp"

namespace steward::app {

using boost::asio::awaitable;

namespace {

constexpr std::string_view settings_of_server =
    "SELECT datcollate, datctype, pg_encoding_to_char(encoding) AS encoding, current_setting('server_version_num')::bigint AS version "
    "FROM pg_database WHERE datname = current_database()";

constexpr std::string_view queue =
    "SELECT coalesce((SELECT state FROM application_services_state WHERE as_id = $1), 'up') AS state, "
    "(SELECT count(*) FROM application_services_txns WHERE as_id = $1) AS waiting, "
    "coalesce((SELECT max(stream_ordering) FROM events), 0) - "
    "coalesce((SELECT max(stream_ordering) FROM appservice_stream_position), 0) AS behind";

constexpr std::int64_t long_queue = 100;
constexpr std::int64_t far_behind = 1000;
constexpr std::int64_t oldest_postgresql = 140000;

db::SessionOptions session(const core::Secret& connection) {
  db::SessionOptions options;
  options.name = "check";
  options.connection = connection;
  options.read_only = true;
  options.statement_timeout = std::chrono::seconds(10);
  return options;
}

// True when it connects directly; says so, or why not.
bool judge_connection(Report& report, std::string_view key, const DatabaseFinding& finding) {
  if (!finding.connected) {
    report.fail(fmt::format("{}: no connection: {}", key, finding.problem), "correct it in steward.yaml, or start PostgreSQL");
    return false;
  }
  if (finding.behind_pooler) {
    report.fail(fmt::format("{}: a pooling proxy stands between; locks and settings leak through it", key),
                "connect to the PostgreSQL server itself");
  } else {
    report.ok(fmt::format("{}: connected to {} as {}, directly", key, finding.database, finding.role));
  }
  return true;
}

void judge_identity(Report& report, const DatabaseFinding& finding, const core::UserId& sender, const config::Config& config) {
  if (!finding.has_users) {
    report.fail("the database " + finding.database + " holds no Synapse tables", "name Synapse's own database in database.synapse");
    return;
  }
  if (!finding.may_read) return;  // the grants say it
  const auto owner = finding.owners.find(sender.str());
  if (owner == finding.owners.end() || owner->second != config.appservice.id) {
    report.fail(fmt::format("the database {} does not know {}: it is another server's database, or an old copy", finding.database, sender.str()),
                "name the database that homeserver.yaml names; if set-up is not finished, run steward setup");
  } else {
    report.ok("the database " + finding.database + " knows the bot's users");
  }
}

void judge_server(Report& report, const db::Row& row) {
  const bool c_locale = row.text("datcollate") == "C" && row.text("datctype") == "C" && row.text("encoding") == "UTF8";
  if (c_locale) {
    report.ok("the database has UTF8 and the C locale");
  } else {
    report.warn(fmt::format("the database has {}, {}, {} instead of UTF8 and the C locale", row.text("encoding"), row.text("datcollate"),
                            row.text("datctype")),
                "dump and restore it into a database made with LOCALE 'C' (Synapse's documentation, postgres.md)");
  }
  if (row.integer("version") < oldest_postgresql) {
    report.warn(fmt::format("PostgreSQL {} is older than 14", row.integer("version") / 10000), "upgrade PostgreSQL");
  }
}

constexpr std::size_t most_grants = 3;

void judge_grants(Report& report, const core::Result<std::vector<db::MissingRight>>& missing, const std::string& role) {
  if (!missing) {
    report.error(Verdict::fail, "grants", missing.error(), "grant the right that is missing");
    return;
  }
  if (missing->empty()) {
    report.ok(role + " has every right that the commands need");
    return;
  }
  std::vector<std::string> tables, grants;
  for (const db::MissingRight& right : *missing) {
    if (tables.empty() || tables.back() != right.table) tables.push_back(right.table);
    grants.push_back(right.grant + ";");
  }
  const std::size_t count = tables.size();
  const bool few = grants.size() <= most_grants;
  if (tables.size() > 5) tables.resize(5);
  report.fail(fmt::format("{} lacks rights on {}{}", role, core::join(tables, ", "), count > 5 ? fmt::format(" and {} more", count - 5) : ""),
              (few ? "the owner of the tables runs: " + core::join(grants, " ") + " All of them: " : std::string("a superuser runs ")) +
                  "steward setup --grants | psql");
}

void judge_superuser(Report& report, std::string_view key, const DatabaseFinding& finding) {
  if (finding.superuser)
    report.warn(fmt::format("{}: {} is a superuser, which may do everything to every database", key, finding.role),
                "give the bot Synapse's role, or roles of its own: steward setup --grants | psql");
}

void judge_queue(Report& report, const db::Row& row) {
  const std::int64_t waiting = row.integer("waiting"), behind = row.integer("behind");
  if (row.text("state") == "down") {
    report.warn(fmt::format("Synapse holds the bot for down; {} wait for it", core::plural(waiting, "transaction", "transactions")),
                "start the bot: its ping ends that");
  } else if (waiting > long_queue || behind > far_behind) {
    report.warn(fmt::format("Synapse's queue to its application services is behind: {} transactions, {} events", waiting, behind),
                "look at Synapse's log for appservice errors; it may only be starting");
  } else {
    report.ok(fmt::format("Synapse's queue to the bot is up, {} waiting", waiting));
  }
}

// A failed read is one finding; the next ones go on.
const db::Row* first_row(Report& report, std::string_view what, const core::Result<db::Rows>& rows) {
  if (rows && !rows->empty()) return &rows->front();
  if (!rows) report.error(Verdict::fail, what, rows.error(), "grant the right that is missing");
  return nullptr;
}

awaitable<void> judge_schema(Report& report, db::Session& session) {
  const auto state = co_await db::schema_state(session);
  if (!state) {
    report.error(Verdict::fail, "Synapse's schema", state.error(), "grant the right that is missing");
    co_return;
  }
  const auto allowed = db::allows_destruction(*state);
  if (allowed) {
    report.ok(fmt::format("Synapse's schema {} is known", state->version));
  } else {
    core::Error error = allowed.error();
    error.why = core::clean_name(error.why, 160);  // a server just upgraded has dozens of them pending
    report.error(Verdict::warn, "commands that delete refuse", error, "wait for Synapse's background updates");
  }
}

awaitable<void> check_synapse_database(Report& report, boost::asio::any_io_executor io, const config::Config& config,
                                       core::UserId chat, core::UserId sender) {
  const auto finding = co_await look_at_database(io, config.database.synapse, config.database.schema, chat, sender);
  const bool connected = judge_connection(report, "database.synapse", finding);
  if (!connected) co_return;
  judge_identity(report, finding, sender, config);
  if (!finding.has_users) co_return;
  db::SessionOptions options = session(config.database.synapse);
  db::Session reading(io, std::move(options));
  const auto server = co_await reading.query(std::string(settings_of_server));
  if (const db::Row* row = first_row(report, "the database's settings", server)) judge_server(report, *row);
  judge_superuser(report, "database.synapse", finding);
  const auto missing = co_await db::missing_rights(reading, db::Role::writer);
  judge_grants(report, missing, finding.role);
  if (!finding.may_read) co_return;  // the next questions would only say it again
  co_await judge_schema(report, reading);
  db::Values id;
  id.emplace_back(config.appservice.id);
  const auto waiting = co_await reading.query(std::string(queue), std::move(id));
  if (const db::Row* row = first_row(report, "Synapse's queue to the bot", waiting)) judge_queue(report, *row);
}

awaitable<void> check_reader(Report& report, boost::asio::any_io_executor io, const config::Config& config, core::UserId chat,
                             core::UserId sender) {
  if (config.database.reader.empty()) co_return;
  const auto finding = co_await look_at_database(io, config.database.reader, config.database.schema, chat, sender);
  const bool connected = judge_connection(report, "database.reader", finding);
  if (!connected) co_return;
  judge_identity(report, finding, sender, config);
  if (!finding.has_users) co_return;
  judge_superuser(report, "database.reader", finding);
  db::SessionOptions options = session(config.database.reader);
  db::Session reading(io, std::move(options));
  const auto missing = co_await db::missing_rights(reading, db::Role::reader);
  judge_grants(report, missing, finding.role);
}

awaitable<void> check_room(Report& report, boost::asio::any_io_executor io, const config::Config& config) {
  db::SessionOptions options = session(config.database.store.empty() ? config.database.synapse : config.database.store);
  options.search_path = config.database.schema;
  db::Session store(io, std::move(options));
  const auto there = co_await store.query("SELECT to_regclass('setting') IS NOT NULL AS there");
  std::string room = config.room.id;
  if (there && there->front().boolean("there") && room.empty()) {
    const auto rows = co_await store.query("SELECT value FROM setting WHERE key = 'room.id'");
    if (!rows) {
      report.error(Verdict::fail, "the bot's own tables", rows.error(), "grant the right that is missing");
      co_return;
    }
    if (!rows->empty()) room = rows->front().text("value");
  }
  if (room.empty()) {
    report.warn("there is no admin room yet", "start the bot: it makes the room and invites the admins");
  } else {
    report.ok("the admin room is " + room);
  }
}

awaitable<void> check_store(Report& report, boost::asio::any_io_executor io, const config::Config& config, core::UserId chat,
                            core::UserId sender) {
  const bool apart = !config.database.store.empty();
  const core::Secret connection = apart ? config.database.store : config.database.synapse;
  if (connection.empty()) {
    report.fail("the bot has no database for its memory", "set database.store to any PostgreSQL database");
    co_return;
  }
  const auto finding = co_await look_at_database(io, connection, config.database.schema, chat, sender);
  if (apart) {
    const bool connected = judge_connection(report, "database.store", finding);
    if (!connected) co_return;
  }
  if (!finding.connected) co_return;  // said of database.synapse
  if (!finding.may_write) {
    report.fail(fmt::format("{} may not {} the schema {}", finding.role, finding.has_schema ? "write into" : "make", config.database.schema),
                std::string(core::trim(schema_statement(finding.role, config.database.schema))));
    co_return;
  }
  report.ok(fmt::format("the bot's memory, schema {}, {}", config.database.schema, finding.has_schema ? "is writable" : "can be made"));
  co_await check_room(report, io, config);
}

}  // namespace

awaitable<bool> check_databases(Report& report, boost::asio::any_io_executor io, const config::Config& config) {
  const core::UserId chat("@" + config.bot.localpart + ":" + config.homeserver.server_name);
  const core::UserId sender("@" + config.appservice.sender_localpart + ":" + config.homeserver.server_name);
  if (config.database.synapse.empty()) {
    report.warn("database.synapse is not set: only what Synapse's API offers can be done", "set it unless Synapse uses SQLite");
  } else {
    co_await check_synapse_database(report, io, config, chat, sender);
  }
  co_await check_reader(report, io, config, chat, sender);
  co_await check_store(report, io, config, chat, sender);
  co_return true;
}

}  // namespace steward::app
