// ping: how long the ways take: to the homeserver, from the homeserver back to the bot, to the database.
// I/O thread. The manual page is ping.md.
#include <fmt/format.h>

#include <chrono>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using Clock = std::chrono::steady_clock;

namespace {

std::string since(Clock::time_point started) {
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started);
  return fmt::format("{:.1f} ms", static_cast<double>(took.count()) / 1000.0);
}

awaitable<core::Result<Answer>> tell(Arguments, Context& context) {
  command::DataTable table;
  table.columns = {{"name"}, {"value"}};
  bool all_well = true;
  const auto add = [&](std::string name, bool well, std::string value) {
    all_well = all_well && well;
    table.rows.push_back({std::move(name), std::move(value)});
  };
  auto started = Clock::now();
  auto versions = co_await context.services.chat->versions();
  add("Homeserver", versions.has_value(), versions ? since(started) : core::describe(versions.error()));

  started = Clock::now();
  auto back = co_await context.services.chat->ping(fmt::format("ping-{}", Clock::now().time_since_epoch().count()));
  add("Homeserver to the bot and back", back.has_value(),
      back ? fmt::format("{}, of which Synapse waited {} ms for the bot", since(started), back->count()) : core::describe(back.error()));

  if (context.services.read) {
    started = Clock::now();
    auto pong = co_await context.services.read->query(db::sql::ping_database);
    add("Synapse's database", pong.has_value(), pong ? since(started) : core::describe(pong.error()));
  } else {
    add("Synapse's database", true, "no connection configured");
  }
  started = Clock::now();
  auto stored = co_await context.services.store_session->query(db::sql::ping_database);
  add("The bot's memory", stored.has_value(), stored ? since(started) : core::describe(stored.error()));

  Answer answer;
  answer.message.title(all_well ? "Pong" : "Not all ways are open");
  for (const std::vector<std::string>& row : table.rows) answer.message.paragraph(matrix::field(row[0], row[1]));
  answer.json = command::to_json(table);
  co_return answer;
}

}  // namespace

Command ping() {
  Command command;
  command.spec.name = "ping";
  command.spec.group = command::Group::general;
  command.spec.summary = "Round trips: homeserver, back to the bot, database";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.examples = {{"ping", ""}};
  command.manual = manual("ping");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
