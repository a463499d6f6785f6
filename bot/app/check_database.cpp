// The doctor's look at PostgreSQL: the right database, direct, readable, with a schema we know; and the bot's own memory.
#include <algorithm>

#include "app/check_report.hpp"
#include "app/setup_database.hpp"
#include "core/text.hpp"
#include "db/guard.hpp"
#include "db/session.hpp"

namespace steward::app {

using boost::asio::awaitable;

namespace {

constexpr std::string_view settings_of_server =
    "SELECT datcollate, datctype, pg_encoding_to_char(encoding) AS encoding, current_setting('server_version_num')::bigint AS version "
    "FROM pg_database WHERE datname = current_database()";

// Tables of Synapse that the commands read; those of other versions may be absent.
constexpr std::string_view unreadable =
    "SELECT name FROM unnest($1::text[]) AS wanted (name) "
    "WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), 'SELECT') ORDER BY name";

const std::vector<std::string>& tables_read() {
  static const std::vector<std::string> tables{
      "application_services_state", "application_services_txns", "appservice_stream_position", "background_updates",
      "blocked_rooms", "current_state_events", "devices", "event_forward_extremities", "event_json", "event_to_state_groups",
      "event_txn_id_device_id", "events", "local_current_membership", "local_media_repository", "local_media_repository_thumbnails",
      "profiles", "remote_media_cache", "remote_media_cache_thumbnails", "room_aliases", "room_memberships", "room_retention",
      "room_stats_current", "room_stats_state", "rooms", "scheduled_tasks", "schema_compat_version", "schema_version",
      "state_groups", "state_groups_state", "user_directory", "users"};
  return tables;
}

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

constexpr std::size_t most_names = 5;

// False: too little can be read for the other questions to be asked.
bool judge_grants(Report& report, const core::Result<db::Rows>& rows, const std::string& role) {
  if (!rows) {
    report.error(Verdict::fail, "grants", rows.error(), "grant the right that is missing");
    return false;
  }
  std::vector<std::string> names;
  for (const db::Row& row : *rows) names.push_back(row.text("name"));
  if (names.empty()) {
    report.ok("Synapse's tables are readable");
    return true;
  }
  const std::size_t count = names.size();
  std::string mend = fmt::format("a database superuser runs: GRANT pg_read_all_data TO \"{}\";", role);
  if (count <= most_names) mend = fmt::format("GRANT SELECT ON {} TO \"{}\";", core::join(names, ", "), role);
  if (count > most_names) names.resize(most_names);
  report.fail(fmt::format("{} may not read {}{}", role, core::join(names, ", "), count > most_names ? " …" : ""), std::move(mend));
  return false;
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
  db::Values tables;
  tables.push_back(db::bind_array(tables_read()));
  const auto grants = co_await reading.query(std::string(unreadable), std::move(tables));
  const bool readable = judge_grants(report, grants, finding.role);
  if (!readable) co_return;
  co_await judge_schema(report, reading);
  db::Values id;
  id.emplace_back(config.appservice.id);
  const auto waiting = co_await reading.query(std::string(queue), std::move(id));
  if (const db::Row* row = first_row(report, "Synapse's queue to the bot", waiting)) judge_queue(report, *row);
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
  co_await check_store(report, io, config, chat, sender);
  co_return true;
}

}  // namespace steward::app
