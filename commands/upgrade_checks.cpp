#include "commands/upgrade_checks.hpp"

#include <fmt/format.h>

#include <array>

#include "commands/host_actions.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Context;
using synapse::Version;

namespace {

constexpr auto fresh_dump = std::chrono::hours(24);
constexpr int newest_in_table = 163;

struct Note { int minor; const char* text; };
constexpr std::array<Note, 18> notes{{
    {119, "Python 3.9 or later"},
    {120, "media need a login to be downloaded (enable_authenticated_media)"},
    {122, "PostgreSQL 13 or later"},
    {126, "publishing rooms in the list is denied unless room_list_publication_rules allow it"},
    {128, "a background update hashes media; unused state groups are deleted from now on"},
    {139, "with the Matrix Authentication Service an application service registers with inhibit_login only"},
    {140, "synapse-s3-storage-provider must be 1.6 or later"},
    {142, "Python 3.10 or later"},
    {143, "PostgreSQL 14 or later"},
    {150, "the package's extra [systemd] is gone"},
    {151, "statements of Synapse's end after 10 minutes"},
    {152, "workers that quarantine media must be writers of quarantined_media_changes"},
    {157, "does not start with experimental_features.msc3861"},
    {158, "new rooms have version 11 unless default_room_version is set"},
    {159, "connections of Synapse's idle in a transaction end after 30 minutes"},
    {161, "matrix_rtc.livekit_service_url is deprecated: livekit_service is url"},
    {162, "new rooms have version 12, whose ids have no server name"},
    {163, "does not start with limit_profile_requests_to_users_who_share_rooms without require_auth_for_profile_requests"},
}};

void check_versions(Checks& checks, const Version& target, const host::Reply& state, const core::Result<Version>& running) {
  const std::string installed = core::clean_name(state.value("installed"));
  if (const std::string why = state.value("no_upgrade"); !why.empty()) return checks.add("Environment", Verdict::bad, core::clean_name(why, 200));
  if (!running) return checks.add("Synapse", Verdict::bad, "away: " + core::describe(running.error()));
  const auto of_disk = synapse::parse_version(installed);
  checks.must("Synapse", of_disk && *of_disk == *running, release(*running) + " runs from the environment that is switched",
              fmt::format("{} runs, but the environment behind the link holds {}: the service is not started through the link", release(*running), installed));
  checks.must("Wanted", target > *running, target.text, fmt::format("{} is not above the running {}", target.text, release(*running)));
}

void check_needs(Checks& checks, const Version& target, const host::Reply& state, std::int64_t postgresql) {
  const auto needs = needs_of(target);
  if (!needs) return checks.add("Needs", Verdict::look, target.text + " is newer than this bot knows: read its upgrade notes first");
  if (postgresql > 0)
    checks.must("PostgreSQL", postgresql / 10000 >= needs->postgresql, fmt::format("{}, {} is needed", postgresql / 10000, needs->postgresql),
                fmt::format("{}, but {} is needed: Synapse would not start", postgresql / 10000, needs->postgresql));
  const std::string python = core::clean_name(state.value("python"));
  const auto version = synapse::parse_version(python);
  if (!version) return checks.add("Python", Verdict::look, fmt::format("not known; 3.{} is needed", needs->python_minor));
  checks.must("Python", version->major > 3 || version->minor >= needs->python_minor, fmt::format("{} in the present environment, 3.{} is needed", python, needs->python_minor),
              fmt::format("{} in the present environment, but 3.{} is needed", python, needs->python_minor));
}

awaitable<void> check_way_back(Checks& checks, Version target, int schema, Context& context) {
  const auto needs = needs_of(target);
  auto dump = co_await newest_dump(context);
  const bool fresh = dump && !dump->kind.empty() && dump->age <= fresh_dump;
  const std::string words = dump ? dump->words() : core::describe(dump.error());
  if (needs && schema >= needs->compat)
    checks.add("Way back", Verdict::good, fmt::format("the present release knows schema {}, {} leaves a database for {} and later", schema, target.text, needs->compat));
  else if (needs && schema > 0)
    checks.must("Way back", fresh, "only by the dump " + words, "no way back without a dump younger than a day: " + words);
  else
    checks.add("Way back", Verdict::look, "not known yet; steward-host reads it from the built release before it stops anything");
  checks.should("Dump", fresh, words, words);
}

awaitable<void> check_work(Checks& checks, Context& context) {
  auto read = context.plan();
  if (!read) co_return;
  db::Arguments query;
  query.emplace_back("limit", db::bind(100));
  auto tasks = co_await (*read)->query(db::sql::report_tasks, std::move(query));
  if (!tasks) co_return;
  std::int64_t active = 0;
  for (const db::Row& row : *tasks)
    if (row.text("status") == "active") active += row.integer("tasks");
  checks.should("Tasks", active == 0, "none runs", core::plural(active, "task of Synapse's runs", "tasks of Synapse's run") + " and would start over");
}

}  // namespace

std::optional<Needs> needs_of(const Version& version) {
  if (version.major != 1 || version.minor > newest_in_table) return std::nullopt;
  Needs needs{.postgresql = 11, .python_minor = 8, .schema = 84, .compat = 84};
  if (version.minor >= 119) needs.python_minor = 9;
  if (version.minor >= 122) needs.postgresql = 13, needs.schema = 88;
  if (version.minor >= 142) needs.python_minor = 10;
  if (version.minor >= 143) needs.postgresql = 14, needs.schema = 93;
  if (version.minor >= 151) needs.schema = 94;
  return needs;
}

std::vector<std::string> notes_between(const Version& from, const Version& to) {
  std::vector<std::string> found;
  for (const Note& note : notes)
    if (note.minor > from.minor && note.minor <= to.minor) found.push_back(fmt::format("1.{}: {}", note.minor, note.text));
  return found;
}

awaitable<Checks> check_upgrade(Version target, const host::Reply& state, Context& context) {
  Checks checks;
  auto running = co_await context.admin().server_version();
  check_versions(checks, target, state, running);
  std::int64_t postgresql = 0;
  if (auto read = context.plan()) {
    auto rows = co_await (*read)->query(db::sql::version_database);
    if (rows) postgresql = rows->front().integer("postgresql_number");
    if (rows)
      checks.must("Background updates", rows->front().integer("background_updates") == 0, "none waits",
                  core::plural(rows->front().integer("background_updates"), "waits", "wait") + ": Synapse must finish them first");
  }
  check_needs(checks, target, state, postgresql);
  const int schema = static_cast<int>(std::strtol(state.value("schema").c_str(), nullptr, 10));
  co_await check_way_back(checks, target, schema, context);
  co_await check_work(checks, context);
  if (const std::string why = state.value("no_stop"); !why.empty()) checks.add("Stop", Verdict::bad, core::clean_name(why, 200));
  if (running) {
    const std::vector<std::string> found = notes_between(*running, target);
    if (!found.empty()) checks.add("Read before", Verdict::look, core::join(found, " · "));
  }
  co_return checks;
}

}  // namespace steward::commands
