// extremities: rooms with many open ends of their event graph (forward extremities), and the open ends of one room. Reads only, one
// SELECT. The manual page is extremities.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "commands/listing.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr std::int64_t many = 10;  // from here on Synapse feels it (facts: state resolution over all of them at every event)

awaitable<core::Result<Answer>> of_server(Arguments arguments, std::int64_t limit, db::Session& read, Context& context) {
  db::Arguments query;
  query.emplace_back("limit", db::bind(limit));
  auto rows = co_await read.query_within(report_limit, db::sql::report_rooms_extremities, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  command::DataTable table;
  table.columns = {{"room_id"}, {"name"}, {"extremities", true}};
  std::vector<std::string> ids;
  Answer answer;
  answer.message.title(rows->empty() ? "No room has more than one open end" : "Rooms by open ends");
  for (const db::Row& row : *rows) {
    table.rows.push_back({row.text("name"), row.text("room"), row.text("open_ends")});
    if (ids.size() == in_card(rows->size())) continue;
    ids.push_back(row.text("name"));
    const std::string name = row.text("room").empty() ? row.text("name") : core::clean_name(row.text("room"), 40);
    matrix::Text line{matrix::plain(fmt::format("r{} ", ids.size())), matrix::bold(core::format_count(row.integer("open_ends"))), matrix::plain(" " + name)};
    answer.message.entry(std::move(line));
  }
  if (!rows->empty())
    answer.message.paragraph(rows->front().integer("open_ends") > many ? fmt::format("Above {} a room slows Synapse down; they close by themselves when somebody writes in it.", many)
                                                                       : "A few are normal in federated rooms.");
  auto kept = co_await keep_handles('r', std::move(ids), context);
  if (!kept) co_return core::fail(kept.error());
  attach(answer, arguments, table, "extremities");
  co_return answer;
}

awaitable<core::Result<Answer>> of_room(core::RoomId room, Arguments arguments, std::int64_t limit, db::Session& read) {
  db::Arguments query;
  query.emplace_back("room", room.str());
  query.emplace_back("limit", db::bind(limit));
  auto rows = co_await read.query_within(report_limit, db::sql::room_extremities, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  if (rows->empty()) co_return core::fail(core::Code::not_found, "This server knows no room " + room.str() + ", or no event of it");
  command::DataTable table;
  table.columns = {{"event_id"}, {"type"}, {"sender"}, {"depth", true}, {"received_ms", true}};
  Answer answer;
  answer.message.title(core::plural(rows->front().integer("total"), "open end", "open ends"));
  std::size_t shown = 0;
  for (const db::Row& row : *rows) {
    table.rows.push_back({row.text("event_id"), row.text("type"), row.text("sender"), row.text("depth"), row.text("received_ts")});
    if (shown++ == in_card(rows->size())) break;
    std::string rest = " missing: its event is not in the database (!check-orphans)";
    if (!row.is_null("type"))
      rest = fmt::format(" {} by {}, depth {}, {} ago", core::clean_name(row.text("type"), 40), core::clean_name(row.text("sender"), 60), row.text("depth"),
                         core::format_age(std::chrono::seconds(std::max<std::int64_t>(0, row.integer("now_ms") - row.integer("received_ts")) / 1000)));
    matrix::Text line{matrix::bold(core::clean_name(row.text("event_id"), 80)), matrix::plain(std::move(rest))};
    answer.message.entry(std::move(line));
  }
  attach(answer, arguments, table, "extremities");
  co_return answer;
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  const bool whole = context.as_data || arguments.flag("csv") || arguments.flag("json");
  const std::int64_t limit = arguments.integer("limit").value_or(whole ? rows_in_file : page_rows);
  const auto room = arguments.room("room");
  auto listing = room ? of_room(*room, arguments, limit, **read) : of_server(arguments, limit, **read, context);
  co_return co_await std::move(listing);
}

}  // namespace

Command extremities() {
  Command command;
  command.spec.name = "extremities";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "Rooms with many open ends of their event graph, or those of one room";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {command::optional_positional("room", command::Type::room, "only this room, end by end"), command::standard::limit(),
                            command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"extremities", "the rooms with the most"}, {"extremities r1", "which events they are"}};
  command.manual = manual("extremities");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
