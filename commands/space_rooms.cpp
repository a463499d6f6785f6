// space: the rooms that a space lists, with what this server knows of each. Reads only, by the admin API. The manual page is
// space_rooms.md.
#include <fmt/format.h>

#include <algorithm>

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

struct Child {
  core::RoomId id;
  std::optional<synapse::RoomInfo> known;  // by this server
};

awaitable<core::Result<std::vector<core::RoomId>>> children_of(core::RoomId space, Context& context) {
  auto state = co_await context.admin().room_state(space);
  if (!state) co_return core::fail(state.error());
  bool is_space = false;
  std::vector<core::RoomId> children;
  for (const synapse::StateEvent& event : *state) {
    if (event.type == "m.room.create") is_space = event.content.find("\"m.space\"") != std::string::npos;
    if (event.type != "m.space.child" || !event.names_servers) continue;
    if (auto id = core::parse_room_id(event.state_key)) children.push_back(std::move(*id));
  }
  if (!is_space && children.empty()) co_return core::fail(core::Code::bad_input, space.str() + " is not a space", {}, "!room says what it is");
  std::sort(children.begin(), children.end());
  co_return children;
}

awaitable<core::Result<Child>> look(core::RoomId id, Context& context) {
  Child child{.id = id, .known = {}};
  auto info = co_await context.admin().room(std::move(id));
  if (info) child.known = std::move(*info);
  else if (info.error().code != core::Code::not_found) co_return core::fail(info.error());
  co_return child;
}

std::string words(const Child& child) {
  if (!child.known) return core::clean_name(child.id.str(), 80) + " · not on this server";
  const synapse::RoomInfo& room = *child.known;
  const std::string name = room.name.empty() ? (room.canonical_alias.empty() ? child.id.str() : room.canonical_alias) : room.name;
  return core::clean_name(name, 40) + (room.room_type == "m.space" ? " · a space" : "") +
         fmt::format(" · {}, {} of this server", core::plural(room.joined_members, "member", "members"), core::format_count(room.joined_local_members));
}

command::DataTable table_of(const std::vector<Child>& children) {
  command::DataTable table;
  table.columns = {{"room_id"}, {"name"}, {"type"}, {"members", true}, {"local_members", true}, {"known"}};
  for (const Child& child : children) {
    const synapse::RoomInfo room = child.known.value_or(synapse::RoomInfo{});
    table.rows.push_back({child.id.str(), room.name, room.room_type, std::to_string(room.joined_members), std::to_string(room.joined_local_members), child.known ? "yes" : "no"});
  }
  return table;
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  auto ids = co_await children_of(*arguments.room("space"), context);
  if (!ids) co_return core::fail(ids.error());
  const ListPage page = page_of(arguments, context);
  const auto total = static_cast<std::int64_t>(ids->size());
  std::vector<Child> children;
  for (std::int64_t index = page.offset; index < std::min(total, page.offset + page.limit); ++index) {
    auto child = co_await look(ids->at(static_cast<std::size_t>(index)), context);
    if (!child) co_return core::fail(child.error());
    children.push_back(std::move(*child));
  }
  Answer answer;
  answer.message.title(page_title(core::plural(total, "room", "rooms") + " in this space", "The space lists no room", page, total));
  std::vector<std::string> handles;
  for (std::size_t index = 0; index < in_card(children.size()); ++index) {
    handles.push_back(children[index].id.str());
    answer.message.entry(matrix::Text{matrix::plain(fmt::format("r{} ", index + 1)), matrix::plain(words(children[index]))});
  }
  auto kept = co_await keep_handles('r', std::move(handles), context);
  if (!kept) co_return core::fail(kept.error());
  tell_next_page(answer, page, total);
  attach(answer, arguments, table_of(children), "space");
  co_return answer;
}

}  // namespace

Command space() {
  Command command;
  command.spec.name = "space";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "The rooms that a space lists";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A";
  command.spec.arguments = {command::positional("space", command::Type::room, "an id, an alias or a handle like r3"), command::standard::limit(),
                            command::standard::page(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"space #club:example.org", "what is in it"}};
  command.manual = manual("space_rooms");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
