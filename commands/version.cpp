// version: Synapse, PostgreSQL, the schema and how far back one could go, the bot. "Behind" comes from a table shipped with the
// bot: it asks nobody outside. I/O thread; admin API and the read session. The manual page is version.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "commands/releases.hpp"
#include "core/text.hpp"
#include "db/guard.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using synapse::Version;

namespace {

// The newest release when this bot was made.
const Version newest_known{1, 163, 2, "1.163.2"};
constexpr std::int64_t least_postgresql = 140000;  // since Synapse 1.143

// The oldest release whose schema version reaches the compat version: it can still open the database.
std::string floor_of(std::int64_t compat_version) {
  if (compat_version == 84) return "one can go back to Synapse 1.100";
  return fmt::format("compatible from schema {} on, whose release this bot does not know", compat_version);
}

awaitable<void> add_database(std::vector<std::vector<std::string>>& rows, Context& context) {
  auto read = context.read();
  if (!read) {
    rows.push_back({"Left out", "PostgreSQL and schema (no connection to Synapse's database)"});
    co_return;
  }
  auto found = co_await (*read)->query(db::sql::version_database);
  if (!found) {
    rows.push_back({"Left out", "PostgreSQL and schema: " + core::describe(found.error())});
    co_return;
  }
  const db::Row& row = found->front();
  rows.push_back({"PostgreSQL", row.text("postgresql") + (row.integer("postgresql_number") < least_postgresql ? ", too old for Synapse 1.143 and later" : "")});
  const std::int64_t schema = row.integer("schema_version");
  rows.push_back({"Schema", fmt::format("{}{}; {}", schema, schema > db::newest_known_schema ? ", newer than this bot knows" : "",
                                        floor_of(row.integer("compat_version")))});
  if (row.integer("background_updates") > 0)
    rows.push_back({"Before an upgrade", core::plural(row.integer("background_updates"), "background update is", "background updates are") + " to be waited for"});
}

awaitable<core::Result<Answer>> tell(Arguments, Context& context) {
  command::DataTable table;
  table.columns = {{"name"}, {"value"}};
  auto version = co_await context.admin().server_version();
  table.rows.push_back({"Synapse", version ? version->text + ", " + releases_behind(*version) : "away: " + core::describe(version.error())});
  co_await add_database(table.rows, context);
  table.rows.push_back({"Bot", STEWARD_VERSION});
  Answer answer;
  answer.message.title("Versions · " + context.options().server_name);
  for (const std::vector<std::string>& row : table.rows) answer.message.paragraph(matrix::field(row[0], row[1]));
  answer.json = command::to_json(table);
  co_return answer;
}

}  // namespace

const Version& newest_release() { return newest_known; }

std::string releases_behind(const Version& running) {
  if (running > newest_known) return "newer than this bot knows (" + newest_known.text + ")";
  if (running == newest_known) return "the newest this bot knows";
  if (running.major == newest_known.major && running.minor == newest_known.minor)
    return fmt::format("{} behind {}", core::plural(newest_known.patch - running.patch, "patch release", "patch releases"), newest_known.text);
  return fmt::format("{} behind {}", core::plural(newest_known.minor - running.minor, "release", "releases"), newest_known.text);
}

Command version() {
  Command command;
  command.spec.name = "version";
  command.spec.alias = "v";
  command.spec.group = command::Group::general;
  command.spec.summary = "Synapse, PostgreSQL, schema, the bot";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.examples = {{"version", ""}};
  command.manual = manual("version");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
