#include "config/table.hpp"

#include <fmt/format.h>

#include "config/checks.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::config {
namespace {

constexpr std::int64_t day = 86400;

const std::string& text(const Value& value) { return std::get<std::string>(value); }
const std::vector<std::string>& list(const Value& value) { return std::get<std::vector<std::string>>(value); }

std::string no_slash_at_end(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string keep_days(std::int64_t& days, const Value& value) {
  const std::int64_t seconds = std::get<std::int64_t>(value);
  days = (seconds + day - 1) / day;
  return seconds < day ? "expected one day (1d) or more" : "";
}

std::string in_range(int& to, const Value& value, std::int64_t lowest, std::int64_t highest) {
  const std::int64_t number = std::get<std::int64_t>(value);
  if (number < lowest || number > highest)
    return fmt::format("{} is out of range; expected {} to {}", number, lowest, highest);
  to = static_cast<int>(number);
  return {};
}

std::string names_of(const std::vector<core::UserId>& users) {
  std::string names;
  for (const core::UserId& user : users) names += user.str() + '\n';
  return names;
}

// Fills `to` and gives what the check says of it.
std::string put(std::string& to, const Value& value, std::string (*check)(const std::string&)) {
  to = text(value);
  return check == nullptr || to.empty() ? std::string() : check(to);
}
std::string put(core::Secret& to, const Value& value, std::string (*check)(const std::string&)) {
  to = core::Secret(text(value));
  return to.empty() ? std::string() : check(text(value));
}

std::vector<Row> homeserver_rows() {
  return {
      {{"homeserver.url", Type::url, "", true, false,
        "Synapse's client API, best its local listener on the same host."},
       "http://127.0.0.1:8008",
       [](Config& c, const Value& v) {
         c.homeserver.url = no_slash_at_end(text(v));
         return check_url(c.homeserver.url);
       },
       [](const Config& c) { return c.homeserver.url; }},
      {{"homeserver.media_url", Type::url, "", false, false,
        "Where a media worker answers, if it is not `homeserver.url`."},
       "",
       [](Config& c, const Value& v) {
         c.homeserver.media_url = no_slash_at_end(text(v));
         return check_url(c.homeserver.media_url);
       },
       [](const Config& c) { return c.homeserver.media_url; }},
      {{"homeserver.server_name", Type::text, "", true, false,
        "The name behind the colon of your user ids, as in homeserver.yaml."},
       "example.org",
       [](Config& c, const Value& v) { return put(c.homeserver.server_name, v, check_server_name); },
       [](const Config& c) { return c.homeserver.server_name; }},
      {{"homeserver.ca_file", Type::path, "", false, false,
        "Certificate authorities (PEM) to trust for `homeserver.url`, if not the system's."},
       "",
       [](Config& c, const Value& v) { return put(c.homeserver.ca_file, v, check_readable_file); },
       [](const Config& c) { return c.homeserver.ca_file; }},
      {{"appservice.registration", Type::path, "", true, false,
        "The registration.yaml that Synapse reads too; both tokens come from it."},
       "registration.yaml",
       [](Config& c, const Value& v) { return put(c.appservice.registration, v, nullptr); },
       [](const Config& c) {
         const auto& a = c.appservice;
         return core::join({a.registration, a.id, a.as_token.reveal(), a.hs_token.reveal(), a.sender_localpart}, "\n");
       }},
      {{"appservice.bind", Type::text, "127.0.0.1:29340", false, false,
        "Address and port on which the bot listens for Synapse, `[::1]:29340` for IPv6."},
       "",
       [](Config& c, const Value& v) { return read_bind(text(v), c.appservice.bind_address, c.appservice.bind_port); },
       [](const Config& c) { return fmt::format("{} {}", c.appservice.bind_address, c.appservice.bind_port); }},
      {{"appservice.legacy_query_token", Type::boolean, "false", false, false,
        "Also takes the token from the query string, as Synapse before 1.81 sent it."},
       "",
       [](Config& c, const Value& v) {
         c.appservice.legacy_query_token = std::get<bool>(v);
         return std::string();
       },
       [](const Config& c) { return std::to_string(c.appservice.legacy_query_token); }},
      {{"admin_token", Type::secret, "", false, false,
        "Access token of a server admin. Needed with Matrix Authentication Service; else the registration's token "
        "administers."},
       "",
       [](Config& c, const Value& v) { return put(c.admin_token, v, check_token); },
       [](const Config& c) { return c.admin_token.reveal(); }},
  };
}

std::vector<Row> local_rows() {
  return {
      {{"database.synapse", Type::secret, "", false, false,
        "Connection string of Synapse's database, direct to the server (no transaction-pooling proxy). Without it only "
        "commands of the admin API work."},
       "",
       [](Config& c, const Value& v) { return put(c.database.synapse, v, check_connection_string); },
       [](const Config& c) { return c.database.synapse.reveal(); }},
      {{"database.reader", Type::secret, "", false, false,
        "Connection string of Synapse's database for reports, as a role that may read single columns only (`steward setup --grants` "
        "prints its rights). If not set, `database.synapse` reads too."},
       "",
       [](Config& c, const Value& v) { return put(c.database.reader, v, check_connection_string); },
       [](const Config& c) { return c.database.reader.reveal(); }},
      {{"database.store", Type::secret, "", false, false,
        "Connection string of the database that holds the bot's own schema, if it is not Synapse's."},
       "",
       [](Config& c, const Value& v) { return put(c.database.store, v, check_connection_string); },
       [](const Config& c) { return c.database.store.reveal(); }},
      {{"database.schema", Type::text, "steward", false, false, "Name of the bot's own schema."},
       "",
       [](Config& c, const Value& v) {
         c.database.schema = text(v);
         return check_schema(c.database.schema);
       },
       [](const Config& c) { return c.database.schema; }},
      {{"bot.localpart", Type::text, "steward", false, false, "The chat user's name: `@steward:example.org`."},
       "",
       [](Config& c, const Value& v) {
         c.bot.localpart = text(v);
         return check_localpart(c.bot.localpart);
       },
       [](const Config& c) { return c.bot.localpart; }},
      {{"bot.display_name", Type::text, "Steward", false, false, "The chat user's display name."},
       "",
       [](Config& c, const Value& v) { return put(c.bot.display_name, v, nullptr); },
       [](const Config& c) { return c.bot.display_name; }},
      {{"bot.state_directory", Type::path, "", true, false,
        "Folder for the few files that must outlive a restored database backup."},
       "/var/lib/steward",
       [](Config& c, const Value& v) { return put(c.bot.state_directory, v, nullptr); },
       [](const Config& c) { return c.bot.state_directory; }},
      {{"bot.socket", Type::path, "", false, false,
        "Control socket of `steward exec`; `control.sock` in the state directory if not set."},
       "",
       [](Config& c, const Value& v) { return put(c.bot.socket, v, check_socket_path); },
       [](const Config& c) { return c.bot.socket; }},
      {{"host.socket", Type::path, "", false, false,
        "Socket of steward-host, which stops, starts and upgrades Synapse (docs/host.md). Without it those commands are refused."},
       "",
       [](Config& c, const Value& v) { return put(c.host.socket, v, check_socket_path); },
       [](const Config& c) { return c.host.socket; }},
  };
}

std::vector<Row> room_rows() {
  return {
      {{"room.id", Type::text, "", false, false, "The admin room. If not set, the bot makes one and remembers it."},
       "",
       [](Config& c, const Value& v) { return put(c.room.id, v, check_room); },
       [](const Config& c) { return c.room.id; }},
      {{"room.admins", Type::list, "", true, true, "Who may do everything. Chat can neither add nor remove an admin."},
       "[\"@you:example.org\"]",
       [](Config& c, const Value& v) {
         return list(v).empty() ? std::string("expected at least one user id") : read_users(list(v), c.room.admins);
       },
       [](const Config& c) { return names_of(c.room.admins); }},
      {{"room.remote_allowed", Type::list, "[]", false, true,
        "Users of other homeservers that may hold a role in spite of it."},
       "",
       [](Config& c, const Value& v) { return read_users(list(v), c.room.remote_allowed); },
       [](const Config& c) { return names_of(c.room.remote_allowed); }},
      {{"room.time_zone", Type::text, "UTC", false, true, "Time zone of dates and schedules, like `Europe/Berlin`."},
       "",
       [](Config& c, const Value& v) {
         c.room.time_zone = text(v);
         const auto known = core::check_time_zone(c.room.time_zone);
         return known ? std::string() : core::describe(known.error());
       },
       [](const Config& c) { return c.room.time_zone; }},
      {{"safety.max_level", Type::integer, "4", false, true,
        "Highest danger level the room may use: 0 reads, 1 reversible, 2 slows, 3 deletes, 4 deletes for good."},
       "",
       [](Config& c, const Value& v) { return in_range(c.safety.max_level, v, 0, 4); },
       [](const Config& c) { return std::to_string(c.safety.max_level); }},
      {{"safety.second_admin", Type::boolean, "false", false, true,
        "A plan of level 4 needs the confirmation of another admin."},
       "",
       [](Config& c, const Value& v) {
         c.safety.second_admin = std::get<bool>(v);
         return std::string();
       },
       [](const Config& c) { return std::to_string(c.safety.second_admin); }},
      {{"limits.share", Type::number, "0.1", false, true,
        "A plan that takes more than this share of all media bytes, rooms or users is level 4 (0 to 1)."},
       "",
       [](Config& c, const Value& v) {
         c.safety.share = std::get<double>(v);
         return c.safety.share >= 0 && c.safety.share <= 1
                    ? std::string()
                    : fmt::format("{} is out of range; expected 0 to 1", c.safety.share);
       },
       [](const Config& c) { return fmt::format("{}", c.safety.share); }},
      {{"rooms.keep", Type::list, "[]", false, true, "Room ids and aliases that are never cleaned."},
       "",
       [](Config& c, const Value& v) {
         c.rooms.keep = list(v);
         std::vector<std::string> problems;
         for (const std::string& room : c.rooms.keep) {
           if (auto problem = check_room_or_alias(room); !problem.empty()) problems.push_back(std::move(problem));
         }
         return core::join(problems, "; ");
       },
       [](const Config& c) { return core::join(c.rooms.keep, "\n"); }},
      {{"rooms.in_flight", Type::integer, "3", false, true,
        "How many rooms Synapse deletes at the same time (1 to 5)."},
       "",
       [](Config& c, const Value& v) { return in_range(c.rooms.in_flight, v, 1, 5); },
       [](const Config& c) { return std::to_string(c.rooms.in_flight); }},
      {{"rooms.large", Type::integer, "10000", false, true,
        "From how many events on a room is large: `!clean-rooms --method hybrid` empties it before Synapse deletes it."},
       "",
       [](Config& c, const Value& v) { return in_range(c.rooms.large, v, 1, 1'000'000'000); },
       [](const Config& c) { return std::to_string(c.rooms.large); }},
  };
}

std::vector<Row> tool_rows() {
  return {
      {{"media.path", Type::path, "", false, true,
        "Synapse's `media_store_path`, for `!check-media`. The bot only reads there."},
       "",
       [](Config& c, const Value& v) { return put(c.media.path, v, nullptr); },
       [](const Config& c) { return c.media.path; }},
      {{"repack.program", Type::path, "", false, true,
        "The program pg_repack, for `!repack`. Without it it is looked for where PostgreSQL's packages put it."},
       "",
       [](Config& c, const Value& v) { return put(c.repack.program, v, nullptr); },
       [](const Config& c) { return c.repack.program; }},
      {{"repack.database", Type::secret, "", false, true,
        "Connection string of a superuser of Synapse's database, for `!repack` only: pg_repack refuses everybody else."},
       "",
       [](Config& c, const Value& v) { return put(c.repack.database, v, check_connection_string); },
       [](const Config& c) { return c.repack.database.reveal(); }},
  };
}

std::vector<Row> alert_rows() {
  return {
      {{"alerts.interval", Type::duration, "1m", false, false,
        "How often the bot looks whether a limit is passed; whole tables and the host's disks at every fifth look."},
       "",
       [](Config& c, const Value& v) {
         c.alerts.interval = std::get<std::int64_t>(v);
         return c.alerts.interval <= 3600 ? std::string() : "expected at most one hour (1h)";
       },
       [](const Config& c) { return std::to_string(c.alerts.interval); }},
      {{"alerts.fallback", Type::list, "[]", false, false,
        "Who hears of it when the admin room cannot be reached for three minutes, and at once of a full disk or a lost database: the "
        "URL of a webhook (gets JSON with `text`), or a program with its arguments (gets the text on its standard input, and in place of "
        "an argument `{}`)."},
       "",
       [](Config& c, const Value& v) {
         c.alerts.fallback = list(v);
         return check_fallback(c.alerts.fallback);
       },
       [](const Config& c) { return core::join(c.alerts.fallback, "\n"); }},
  };
}

std::vector<Row> keep_rows() {
  return {
      {{"keep.inbox", Type::duration, "30d", false, true, "How long received commands are remembered."},
       "",
       [](Config& c, const Value& v) { return keep_days(c.keep.inbox_days, v); },
       [](const Config& c) { return std::to_string(c.keep.inbox_days); }},
      {{"keep.items", Type::duration, "90d", false, true, "How long the single items of jobs are kept."},
       "",
       [](Config& c, const Value& v) { return keep_days(c.keep.item_days, v); },
       [](const Config& c) { return std::to_string(c.keep.item_days); }},
      {{"keep.audit", Type::duration, "400d", false, true, "How long the audit log is kept."},
       "",
       [](Config& c, const Value& v) { return keep_days(c.keep.audit_days, v); },
       [](const Config& c) { return std::to_string(c.keep.audit_days); }},
      {{"keep.files", Type::duration, "7d", false, true, "How long files stay that the bot uploaded."},
       "",
       [](Config& c, const Value& v) { return keep_days(c.keep.file_days, v); },
       [](const Config& c) { return std::to_string(c.keep.file_days); }},
      {{"metrics.bind", Type::text, "", false, false,
        "Address and port of /metrics (Prometheus), /healthz and /readyz, best on the loopback; not set: none of them."},
       "",
       [](Config& c, const Value& v) {
         return text(v).empty() ? std::string() : read_bind(text(v), c.metrics.address, c.metrics.port);
       },
       [](const Config& c) { return fmt::format("{} {}", c.metrics.address, c.metrics.port); }},
      {{"metrics.token", Type::secret, "", false, false,
        "What the one who asks sends as `Authorization: Bearer`. Needed on any other address than the loopback."},
       "",
       [](Config& c, const Value& v) { return put(c.metrics.token, v, check_token); },
       [](const Config& c) { return c.metrics.token.reveal(); }},
      {{"log.level", Type::choice, "info", false, true, "How much is logged, to the standard error output.",
        "debug|info|warning|error"},
       "",
       [](Config& c, const Value& v) { return put(c.log_level, v, nullptr); },
       [](const Config& c) { return c.log_level; }},
  };
}

}  // namespace

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> table = homeserver_rows();
    for (auto part : {local_rows, room_rows, tool_rows, alert_rows, keep_rows}) {
      for (const Row& row : part()) table.push_back(row);
    }
    return table;
  }();
  return all;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = [] {
    std::vector<Setting> table;
    for (const Row& row : rows()) table.push_back(row.setting);
    return table;
  }();
  return all;
}

}  // namespace steward::config
