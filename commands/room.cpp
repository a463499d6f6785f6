// room: one card about one room, and what clean-rooms would do with it. Reads only; admin API, and Synapse's database where it is
// at hand. The manual page is room.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/listing.hpp"
#include "commands/room_selection.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr auto default_age = std::chrono::hours(24 * 30);  // of clean-rooms
constexpr std::int64_t counted_events = 100'000;           // rooms_activity_some counts no further

core::Result<std::optional<RoomFacts>> look(db::Transaction& transaction, const RoomChoice& choice, const std::string& room_id) {
  RoomWatch watch(choice);
  auto room = watch.look(transaction, room_id);
  if (!room || !*room) return room;
  if (auto named = label_rooms(transaction, {&**room}); !named) return core::fail(named.error());
  return room;
}

awaitable<core::Result<std::optional<RoomFacts>>> facts_of(core::RoomId room, Context& context) {
  auto read = context.plan();  // what clean-rooms would do with it, which only its own role can tell
  if (!read) co_return core::fail(read.error());
  RoomChoice choice;
  choice.server_name = context.options().server_name;
  choice.older = default_age;
  choice.protected_rooms = context.options().keep_rooms;
  choice.protected_rooms.push_back(context.services.admin_room().str());
  auto work = [choice, id = room.str()](db::Transaction& transaction) { return look(transaction, choice, id); };
  auto looking = (**read).transaction(std::move(work));
  co_return co_await std::move(looking);
}

std::string yes_no(bool value) { return value ? "yes" : "no"; }

void add_info(Sheet& sheet, const synapse::RoomInfo& info) {
  if (!info.canonical_alias.empty()) sheet.add("Alias", core::clean_name(info.canonical_alias));
  sheet.add("Version", info.version);
  sheet.add("Made by", info.creator.empty() ? std::string() : core::clean_name(info.creator, 80));
  sheet.add("Members", fmt::format("{}, {} of this server", core::format_count(info.joined_members), core::format_count(info.joined_local_members)));
  sheet.add("State", core::plural(info.state_events, "event", "events"));
  sheet.add("Encryption", info.encryption.empty() ? "none" : core::clean_name(info.encryption));
  sheet.add("In the directory", yes_no(info.is_public));
  sheet.add("Join rule", info.join_rules.empty() ? std::string() : core::clean_name(info.join_rules));
  sheet.add("Kind", info.room_type.empty() ? std::string() : core::clean_name(info.room_type));
  if (info.forgotten) sheet.add("Forgotten by all", yes_no(*info.forgotten));
}

std::string clean_rooms_words(const RoomFacts& room) {
  if (room.reasons.empty()) return "would be deleted";
  std::vector<std::string> parts;
  for (const Reason reason : room.reasons)
    parts.push_back(std::string(explanation(reason)) + (reason >= first_includable ? " (--include " + std::string(word(reason)) + ")" : ""));
  return "kept: " + core::join(parts, ", ");
}

void add_facts(Sheet& sheet, const RoomFacts& room) {
  const bool more = room.events >= counted_events;
  sheet.add("Events", (more ? "over " : "") + core::format_count(room.events));
  if (room.idle) sheet.add("Last activity", core::format_age(std::chrono::duration_cast<std::chrono::seconds>(*room.idle)) + " ago");
  sheet.add("Blocked", yes_no(room.reasons.contains(Reason::blocked)));
  sheet.add("!clean-rooms", clean_rooms_words(room));
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  const core::RoomId room = *arguments.room("room");
  // A room that was never in the statistics is unknown to the API and yet in the database: either may know it.
  auto info = co_await context.admin().room(room);
  auto facts = co_await facts_of(room, context);
  const bool known = facts && facts->has_value();
  if (!info && !known) {
    if (info.error().code == core::Code::not_found || info.error().source == "M_NOT_FOUND")
      co_return core::fail(core::Code::not_found, "This server knows no room " + room.str());
    co_return core::fail(info.error());
  }
  std::string title;
  if (info && !info->name.empty()) title = core::clean_name(info->name);
  else if (known) title = (*facts)->label;
  else title = "(no name)";
  Answer answer;
  answer.message.title(title);
  Sheet sheet;
  sheet.add("Room", room.str());
  if (info) add_info(sheet, *info);
  else if (known) sheet.add("Version", (*facts)->version);
  if (known) add_facts(sheet, **facts);
  else if (!facts) sheet.add("Not shown", "activity and what !clean-rooms would do: " + facts.error().what);
  sheet.into(answer);
  co_return answer;
}

}  // namespace

Command room() {
  Command command;
  command.spec.name = "room";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "One room: members, state, activity, and what clean-rooms would do with it";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.arguments = {command::positional("room", command::Type::room, "an id, an alias or a handle like r3")};
  command.spec.examples = {{"room #lounge:example.org", ""}, {"room r3", "the third of the list you were last shown"}};
  command.manual = manual("room");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
