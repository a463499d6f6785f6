// appservices: what Synapse remembers of each application service: whether it gave it up, what waits for it.
// I/O thread; SQL through the read session. The manual page is appservices.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr std::size_t shown = 10;

awaitable<core::Result<Answer>> tell(Arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto rows = co_await (*read)->query(db::sql::appservices_state);
  if (!rows) co_return core::fail(rows.error());
  Answer answer;
  command::DataTable table;
  table.columns = {{"id"}, {"state"}, {"queued", true}, {"behind", true}};
  std::int64_t down = 0, behind = 0;
  for (const db::Row& row : *rows) {
    table.rows.push_back({row.text("id"), row.text("state"), std::to_string(row.integer("queued")), std::to_string(row.integer("behind"))});
    down += row.text("state") == "up" ? 0 : 1;
    behind = row.integer("behind");
  }
  const auto count = static_cast<long long>(rows->size());
  answer.message.title(rows->empty() ? "Synapse has not pushed to any application service yet"
                                     : core::plural(count, "application service", "application services") + (down > 0 ? fmt::format(" · {} down", down) : " · all up"));
  if (!rows->empty())
    answer.message.paragraph(matrix::field("Behind", core::plural(behind, "event", "events") + " that Synapse has not yet looked at for them"));
  for (std::size_t index = 0; index < rows->size() && index < shown; ++index) {
    const db::Row& row = (*rows)[index];
    matrix::Text head{matrix::bold(core::clean_name(row.text("id"))), matrix::plain(" · " + row.text("state"))};
    matrix::Text detail{matrix::plain(core::plural(row.integer("queued"), "transaction waits", "transactions wait"))};
    answer.message.entry(std::move(head), std::move(detail));
  }
  if (rows->size() > shown) answer.message.paragraph(fmt::format("and {} more with less waiting", rows->size() - shown));
  answer.json = command::to_json(table);
  co_return answer;
}

}  // namespace

Command appservices() {
  Command command;
  command.spec.name = "appservices";
  command.spec.group = command::Group::general;
  command.spec.summary = "Bridges and bots: state, queue, lag";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.examples = {{"appservices", ""}};
  command.manual = manual("appservices");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
