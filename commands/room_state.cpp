// room-state: the current state of a room by type, and the events of one type. Reads only, by the admin API. The manual page is
// room_state.md.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "commands/listing.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr std::size_t content_shown = 160;

std::string age_text(std::int64_t then_ms) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return core::format_age(std::chrono::seconds(std::max<std::int64_t>(0, now - then_ms) / 1000)) + " ago";
}

void tell_types(Answer& answer, const std::vector<synapse::StateEvent>& state) {
  std::map<std::string, std::int64_t> counts;
  for (const synapse::StateEvent& event : state) ++counts[event.type];
  std::vector<std::pair<std::int64_t, std::string>> sorted;
  for (const auto& [type, count] : counts) sorted.emplace_back(-count, type);
  std::sort(sorted.begin(), sorted.end());
  answer.message.title(fmt::format("{} of {}", core::plural(static_cast<std::int64_t>(state.size()), "state event", "state events"),
                                   core::plural(static_cast<std::int64_t>(sorted.size()), "type", "types")));
  for (std::size_t index = 0; index < sorted.size() && index < 2 * in_card(sorted.size()); ++index) {
    matrix::Text line{matrix::bold(core::format_count(-sorted[index].first)), matrix::plain(" " + core::clean_name(sorted[index].second, 60))};
    answer.message.entry(std::move(line));
  }
}

void tell_events(Answer& answer, const std::vector<synapse::StateEvent>& events, const std::string& type, const ListPage& page) {
  const auto total = static_cast<std::int64_t>(events.size());
  answer.message.title(page_title(core::plural(total, "event", "events") + " of " + core::clean_name(type, 60), "The room has no state of that type", page, total));
  const auto last = std::min(events.size(), static_cast<std::size_t>(page.offset) + in_card(events.size()));
  for (auto index = static_cast<std::size_t>(page.offset); index < last; ++index) {
    const synapse::StateEvent& event = events[index];
    matrix::Text line{matrix::bold(event.state_key.empty() ? "(no key)" : core::clean_name(event.state_key, 80)),
                      matrix::plain(fmt::format(" by {}, {}: {}", core::clean_name(event.sender.str(), 60), age_text(event.sent_ms),
                                                core::clean_name(event.content, content_shown)))};
    answer.message.entry(std::move(line));
  }
  tell_next_page(answer, page, total);
}

command::DataTable table_of(const std::vector<synapse::StateEvent>& events) {
  command::DataTable table;
  table.columns = {{"type"}, {"state_key"}, {"sender"}, {"sent_ms", true}, {"content"}};
  for (const synapse::StateEvent& event : events)
    table.rows.push_back({event.type, event.state_key, event.sender.str(), std::to_string(event.sent_ms), event.content});
  return table;
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  auto state = co_await context.admin().room_state(*arguments.room("room"));
  if (!state) co_return core::fail(state.error());
  const std::string type = arguments.text("type");
  if (!type.empty()) std::erase_if(*state, [&](const synapse::StateEvent& event) { return event.type != type; });
  std::sort(state->begin(), state->end(), [](const synapse::StateEvent& left, const synapse::StateEvent& right) {
    return std::tie(left.type, left.state_key) < std::tie(right.type, right.state_key);
  });
  Answer answer;
  if (type.empty()) tell_types(answer, *state);
  else tell_events(answer, *state, type, page_of(arguments, context));
  attach(answer, arguments, table_of(*state), "room-state");
  co_return answer;
}

}  // namespace

Command room_state() {
  Command command;
  command.spec.name = "room-state";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "The current state of a room: how much of which type, or the events of one type";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A";
  command.spec.arguments = {command::positional("room", command::Type::room, "an id, an alias or a handle like r3"),
                            command::optional_positional("type", command::Type::text, "m.room.power_levels or another type"), command::standard::limit(),
                            command::standard::page(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"room-state r3", "how many events of which type"}, {"room-state r3 m.room.power_levels", "who may what"}};
  command.manual = manual("room_state");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
