// check-orphans: rows of Synapse's tables that belong to no room, event, user or device: what they break, and what clean-orphans would
// do with them. A search by key ranges that takes a second per million events; what it does not reach it says, and takes up the
// next time. I/O thread; read session. The manual page is check_orphans.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "commands/orphan_scan.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr auto least_time = std::chrono::milliseconds(5000), most_time = std::chrono::milliseconds(60'000);

std::chrono::milliseconds time_for(std::optional<std::int64_t> events) {
  return std::clamp<std::chrono::milliseconds>(std::chrono::milliseconds(events.value_or(0) / 1000), least_time, most_time);
}

std::string text_of(const OrphansFound& found) {
  const OrphanKind& kind = *found.kind;
  std::string text = fmt::format(" — {}: {}", found_text(found), kind.what);
  if (!kind.breaks.empty()) text += fmt::format("; {}", kind.breaks);
  return text;
}

std::string care_of(const OrphanKind& kind) {
  return kind.why.empty() ? std::string(words(kind.care)) : fmt::format("{}: {}", words(kind.care), kind.why);
}

command::DataTable table_of(const OrphanSurvey& survey) {
  command::DataTable table;
  table.columns = {{"kind"}, {"table"}, {"rows", true}, {"looked_at", true}, {"whole"}, {"what"}, {"breaks"}, {"cleaned"}, {"why"}, {"problem"}};
  for (const OrphansFound& found : survey.kinds) {
    const OrphanKind& kind = *found.kind;
    table.rows.push_back({std::string(kind.name), std::string(kind.table), std::to_string(found.search.found), std::to_string(found.search.scanned),
                          found.search.whole ? "yes" : "no", std::string(kind.what), std::string(kind.breaks), std::string(words(kind.care)),
                          std::string(kind.why), found.problem});
  }
  return table;
}

std::int64_t rows_of(const OrphanSurvey& survey, OrphanCare care) {
  std::int64_t rows = 0;
  for (const OrphansFound& found : survey.kinds)
    if (found.kind->care == care) rows += found.search.found;
  return rows;
}

std::string title_of(const OrphanSurvey& survey) {
  const std::int64_t live = rows_of(survey, OrphanCare::live), stopped = rows_of(survey, OrphanCare::stopped);
  const bool whole = std::all_of(survey.kinds.begin(), survey.kinds.end(), [](const OrphansFound& found) { return found.search.whole || found.kind->care == OrphanCare::never; });
  const std::string_view least = whole ? "" : "≥ ";
  if (live + stopped == 0) return whole ? "No orphans" : "No orphans found so far";
  std::string title = fmt::format("Orphans · {}{}", least, core::plural(live + stopped, "row", "rows"));
  if (stopped > 0) title += fmt::format(", {} of them only with Synapse stopped", core::format_count(stopped));
  return title;
}

Answer answer_of(const OrphanSurvey& survey, const Arguments& arguments) {
  Answer answer;
  answer.message.title(title_of(survey));
  std::int64_t all = 0;
  std::size_t shown = 0;
  for (const OrphanCare care : {OrphanCare::live, OrphanCare::stopped, OrphanCare::never}) {
    for (const OrphansFound& found : survey.kinds) {
      if (found.kind->care != care || found.search.found == 0) continue;
      ++all;
      if (shown == static_cast<std::size_t>(rows_in_card)) continue;
      ++shown;
      matrix::Text text{matrix::bold(std::string(found.kind->name)), matrix::plain(text_of(found))};
      if (care == OrphanCare::live) answer.message.entry(std::move(text));
      else answer.message.entry(std::move(text), matrix::Text{matrix::plain(care_of(*found.kind))});
    }
  }
  tell_rest(answer, arguments, all, shown);
  std::vector<std::string> cut, unread;
  for (const OrphansFound& found : survey.kinds) {
    if (!found.problem.empty()) unread.push_back(fmt::format("{} ({})", found.kind->name, found.problem));
    else if (!found.search.whole) cut.emplace_back(found.kind->name);
  }
  if (!cut.empty())
    answer.message.paragraph(matrix::field("Cut short", fmt::format("{}; ask again and the search goes on where it stopped", core::join(cut, ", "))));
  if (!unread.empty()) answer.message.paragraph(matrix::field("Not looked at", core::join(unread, "; ")));
  if (!survey.absent.empty())
    answer.message.paragraph(matrix::field("Not in this database", core::join(survey.absent, ", ") + "; a split state database is not supported yet"));
  if (rows_of(survey, OrphanCare::live) > 0) answer.message.paragraph("!clean-orphans --dry-run shows the plan");
  attach(answer, arguments, table_of(survey), "orphans");
  return answer;
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto schema = co_await db::schema_state(**read);
  if (!schema) co_return core::fail(schema.error());
  auto tables = co_await orphan_tables(**read);
  if (!tables) co_return core::fail(tables.error());
  const auto events = tables->find("event_json");
  const auto allowed = time_for(events == tables->end() ? std::nullopt : events->second.rows);
  auto survey = co_await survey_orphans(**read, context.stores().settings, schema->version, allowed, /*never=*/true);
  if (!survey) co_return core::fail(survey.error());
  co_return answer_of(*survey, arguments);
}

}  // namespace

Command check_orphans() {
  Command command;
  command.spec.name = "check-orphans";
  command.spec.group = command::Group::database;
  command.spec.summary = "Rows that belong to no room, event, user or device, and what they break";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"check-orphans", "after an old clean-up script, or when a room cannot be joined again"}, {"check-orphans --csv", "every kind, also those without a row"}};
  command.manual = manual("check_orphans");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
