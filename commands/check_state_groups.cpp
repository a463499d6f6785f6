// check-state-groups: what is wrong with the state groups, and which are used by nothing. Each check is a statement of its own with a
// time limit; one that takes too long says so. I/O thread; read session. The manual page is state_groups.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/checks.hpp"
#include "commands/database_reports.hpp"
#include "commands/unused_state_groups.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr auto walk_limit = std::chrono::minutes(1);

std::string groups(std::int64_t count) { return core::plural(count, "state group", "state groups"); }

void add_none_or(Checks& checks, const char* name, std::int64_t count, const std::string& found) {
  checks.must(name, count == 0, "none", core::format_count(count) + found);
}

void check_links(const core::Result<db::Rows>& rows, Checks& checks) {
  if (!rows) return checks.add("Links", Verdict::look, "not counted: " + core::describe(rows.error()));
  const db::Row& row = rows->front();
  add_none_or(checks, "Missing predecessors", row.integer("missing_predecessors"), " links to a group that is gone: the state of what is built on them has holes");
  checks.should("Dangling links", row.integer("dangling") == 0, "none", core::format_count(row.integer("dangling")) + " of groups that are gone; !clean-orphans takes them");
  add_none_or(checks, "Circles", row.integer("upwards"), " links to the same or a newer group; Synapse never makes them, and may never come to their end");
  add_none_or(checks, "Two predecessors", row.integer("several"), " groups have more than one");
}

void check_rooms(const core::Result<db::Rows>& rows, Checks& checks) {
  if (!rows) return checks.add("Vanished rooms", Verdict::look, "not counted: " + core::describe(rows.error()));
  const std::int64_t count = rows->front().integer("of_vanished_rooms");
  checks.should("Vanished rooms", count == 0, "no state group of a room that is gone",
                fmt::format("{} of {}; !clean-orphans takes them", groups(count), core::plural(rows->front().integer("vanished_rooms"), "room that is gone", "rooms that are gone")));
}

void check_events(const core::Result<db::Rows>& rows, Checks& checks) {
  if (!rows) return checks.add("Events", Verdict::look, "not counted: " + core::describe(rows.error()));
  add_none_or(checks, "Events without state", rows->front().integer("events_without_state"), " events name a state group that is gone");
}

void check_queue(const core::Result<db::Rows>& rows, Checks& checks) {
  if (!rows) return checks.add("Deletion queue", Verdict::look, "not read: " + core::describe(rows.error()));
  const db::Row& row = rows->front();
  const std::int64_t marked = row.integer("marked"), vanished = row.integer("vanished");
  std::string text = marked == 0 ? std::string("empty")
                                 : fmt::format("{} marked, the oldest {} ago; Synapse deletes ten minutes after marking", groups(marked), core::format_age(std::chrono::seconds(row.integer("oldest_seconds"))));
  if (vanished > 0) text += fmt::format("; {} of groups that are gone, which never leave it (!clean-orphans)", core::format_count(vanished));
  if (const std::int64_t held = row.integer("persisting"); held > 0) text += fmt::format("; {} held by writes", groups(held));
  checks.should("Deletion queue", vanished == 0 && row.integer("oldest_seconds") < 3600, text, text);
}

void check_unused(const core::Result<UnusedStateGroups>& unused, const core::Result<std::int64_t>& rows, Checks& checks) {
  if (!unused) return checks.add("Unused", Verdict::look, "not counted: " + core::describe(unused.error()));
  const auto count = static_cast<std::int64_t>(unused->unmarked.size());
  const std::string seen = fmt::format("{} looked at{}", core::format_count(unused->seen), unused->whole ? "" : ", then the time was up");
  std::string found = fmt::format("{}{}, with {} rows of state; {}; !clean-state-groups has Synapse delete them", unused->whole ? "" : "at least ", groups(count),
                                  rows ? core::format_count(*rows) : "an unknown number of", seen);
  checks.should("Unused", count == 0, "none beside those marked; " + seen, std::move(found));
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  db::Session& session = **read;
  auto schema = co_await db::schema_state(session);
  if (!schema) co_return core::fail(schema.error());
  if (!schema->missing_tables.empty()) co_return core::fail(db::allows_destruction(*schema).error());
  db::Arguments none;
  auto links = co_await session.query_within(report_limit, db::sql::state_check_links, none);
  auto rooms = co_await session.query_within(report_limit, db::sql::state_check_rooms, none);
  auto events = co_await session.query_within(report_limit, db::sql::state_check_events, none);
  Checks checks;
  check_links(links, checks);
  check_events(events, checks);
  check_rooms(rooms, checks);
  if (schema->version < state_deletion_schema) {
    checks.add("Unused", Verdict::look, fmt::format("Synapse's schema {} has no deletion of state groups yet; upgrade Synapse", schema->version));
    co_return checks.answer(arguments, "State groups", "check-state-groups");
  }
  auto queue = co_await session.query(db::sql::state_check_queue);
  check_queue(queue, checks);
  auto unused = co_await find_unused_state_groups(session, walk_limit);
  core::Result<std::int64_t> rows = 0;
  if (unused) rows = co_await count_state_rows(session, unused->unmarked);
  check_unused(unused, rows, checks);
  co_return checks.answer(arguments, "State groups", "check-state-groups");
}

}  // namespace

Command check_state_groups() {
  Command command;
  command.spec.name = "check-state-groups";
  command.spec.group = command::Group::database;
  command.spec.summary = "Unused state groups, and links between them that make no sense";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes; reads whole tables, so at a quiet hour";
  command.spec.sources = "S";
  command.spec.arguments = {command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"check-state-groups", ""}};
  command.manual = manual("state_groups");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
