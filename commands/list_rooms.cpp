// list-rooms: the rooms of the server, filtered and sorted. One SELECT where Synapse's database is at hand (it knows rooms
// without statistics, ages and open ends); else the admin API as far as it goes. Reads only. The manual page is list_rooms.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "commands/room_selection.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Type;

namespace {

constexpr std::int64_t shown = 10;
constexpr std::int64_t most_in_a_file = 1'000'000;

struct Listed {
  std::string id, name, alias;
  bool is_public = false, encrypted = false, blocked = false;
  std::int64_t members = 0, local_members = 0, state_events = 0;
  std::optional<std::int64_t> extremities, events, bytes, idle_seconds;
};
struct Listing {
  std::int64_t total = 0;
  std::vector<Listed> rooms;
};

Listed listed_from(const db::Row& row) {
  Listed room;
  room.id = row.text("room_id");
  room.name = row.text("name");
  room.alias = row.text("alias");
  room.is_public = row.boolean("public");
  room.encrypted = row.boolean("encrypted");
  room.blocked = row.boolean("blocked");
  room.members = row.integer("members");
  room.local_members = row.integer("local_members");
  room.state_events = row.integer("state_events");
  room.extremities = row.optional_integer("extremities");
  room.events = row.optional_integer("events");
  room.bytes = row.optional_integer("bytes");
  room.idle_seconds = row.optional_integer("idle_seconds");
  return room;
}

db::Arguments query_of(const Arguments& arguments, std::int64_t limit, std::int64_t offset) {
  const std::string sort = arguments.text("sort");
  const auto older = arguments.age("older");
  db::Arguments query;
  query.emplace_back("text", arguments.text("text"));
  for (const char* name : {"empty", "blocked", "public", "encrypted", "direct"}) query.emplace_back(name, db::bind(arguments.flag(name)));
  query.emplace_back("older", older ? db::bind(older->count()) : std::nullopt);
  query.emplace_back("sort", sort);
  query.emplace_back("with_activity", db::bind(older.has_value() || sort == "activity" || arguments.flag("csv") || arguments.flag("json")));
  query.emplace_back("with_events", db::bind(sort == "events" || sort == "size"));
  query.emplace_back("with_size", db::bind(sort == "size"));
  query.emplace_back("limit", db::bind(limit));
  query.emplace_back("offset", db::bind(offset));
  return query;
}

// On the session's thread. The few rooms of a card get the name they had, where the statistics have forgotten it.
core::Result<Listing> list(db::Transaction& transaction, const db::Arguments& query, bool name_all) {
  auto rows = transaction.exec(db::sql::rooms_list, query);
  if (!rows) return core::fail(rows.error());
  Listing listing;
  std::vector<RoomFacts> nameless;
  for (const db::Row& row : *rows) {
    listing.total = row.integer("total");
    listing.rooms.push_back(listed_from(row));
    const Listed& room = listing.rooms.back();
    if (!name_all || !room.name.empty() || !room.alias.empty()) continue;
    nameless.emplace_back().room_id = room.id;
  }
  std::vector<RoomFacts*> to_name;
  for (RoomFacts& room : nameless) to_name.push_back(&room);
  if (auto named = label_rooms(transaction, std::move(to_name)); !named) return core::fail(named.error());
  for (Listed& room : listing.rooms)
    for (const RoomFacts& known : nameless)
      if (known.room_id == room.id) room.name = known.label;
  return listing;
}

core::Error needs_database(const core::Error& missing, const std::string& flag) {
  core::Error error = missing;
  error.what = "--" + flag + " needs Synapse's database";
  return error;
}

awaitable<core::Result<Listing>> ask_synapse(Arguments arguments, std::int64_t limit, std::int64_t offset, core::Error missing, Context& context) {
  for (const char* name : {"blocked", "direct", "encrypted", "older"})
    if (arguments.has(name)) co_return core::fail(needs_database(missing, name));
  const std::string sort = arguments.text("sort");
  if (!sort.empty() && sort != "members" && sort != "state") co_return core::fail(needs_database(missing, "sort " + sort));
  synapse::AdminClient::RoomQuery query;
  query.search_term = arguments.text("text");
  if (arguments.flag("empty")) query.empty_rooms = true;
  if (arguments.flag("public")) query.public_rooms = true;
  if (!query.search_term.empty() && (query.empty_rooms || query.public_rooms))
    co_return core::fail(needs_database(missing, "empty or --public together with a text"));
  if (sort == "members") query.order_by = "joined_members";
  if (sort == "state") query.order_by = "state_events";
  query.from = offset;
  query.limit = limit;
  auto page = co_await context.admin().rooms(std::move(query));
  if (!page) co_return core::fail(page.error());
  Listing listing;
  listing.total = page->total;
  for (const synapse::RoomInfo& info : page->rooms) {
    Listed room;
    room.id = info.room_id.str();
    room.name = info.name;
    room.alias = info.canonical_alias;
    room.is_public = info.is_public;
    room.encrypted = !info.encryption.empty();
    room.members = info.joined_members;
    room.local_members = info.joined_local_members;
    room.state_events = info.state_events;
    listing.rooms.push_back(std::move(room));
  }
  co_return listing;
}

std::string number(const std::optional<std::int64_t>& value) { return value ? std::to_string(*value) : std::string(); }

command::DataTable table_of(const Listing& listing) {
  command::DataTable table;
  table.columns = {{"room_id"}, {"name"}, {"alias"}, {"members", true}, {"local_members", true}, {"public"}, {"encrypted"}, {"blocked"},
                   {"state_events", true}, {"extremities", true}, {"events", true}, {"bytes_estimated", true}, {"idle_seconds", true}};
  const auto yes = [](bool value) { return std::string(value ? "yes" : "no"); };
  for (const Listed& room : listing.rooms)
    table.rows.push_back({room.id, room.name, room.alias, std::to_string(room.members), std::to_string(room.local_members), yes(room.is_public),
                          yes(room.encrypted), yes(room.blocked), std::to_string(room.state_events), number(room.extremities), number(room.events),
                          number(room.bytes), number(room.idle_seconds)});
  return table;
}

// What the sort was about, then what every room has.
std::string details(const Listed& room, const std::string& sort) {
  std::string text;
  if (sort == "size" && room.bytes) text += fmt::format("≈ {}, ", core::format_size(core::Bytes{*room.bytes}));
  if (room.events) text += core::plural(*room.events, "event", "events") + ", ";
  if (sort == "state") text += core::plural(room.state_events, "state event", "state events") + ", ";
  if (sort == "extremities" && room.extremities) text += core::plural(*room.extremities, "open end", "open ends") + ", ";
  if (room.idle_seconds) text += core::format_age(std::chrono::seconds(*room.idle_seconds)) + " quiet, ";
  text += fmt::format("{} ({} here)", core::plural(room.members, "member", "members"), core::format_count(room.local_members));
  if (room.is_public) text += ", public";
  if (room.encrypted) text += ", encrypted";
  if (room.blocked) text += ", blocked";
  return text;
}

std::string label(const Listed& room) { return core::clean_name(room.name.empty() ? room.alias : room.name); }

Answer answer_of(const Listing& listing, const Arguments& arguments, std::int64_t page) {
  Answer answer;
  const command::DataTable table = table_of(listing);
  answer.json = command::to_json(table);
  const std::int64_t pages = (listing.total + shown - 1) / shown;
  std::string title = core::plural(listing.total, "room", "rooms");
  if (listing.rooms.empty()) title = page > 1 ? "No such page" : "No room is like that";
  else if (pages > 1) title += fmt::format(" · page {} of {}", page, core::format_count(pages));
  answer.message.title(std::move(title));
  for (std::size_t index = 0; index < listing.rooms.size() && index < static_cast<std::size_t>(shown); ++index) {
    const Listed& room = listing.rooms[index];
    matrix::Text text{matrix::plain(fmt::format("r{} ", index + 1)), matrix::bold(label(room)),
                      matrix::plain(fmt::format(" · {} · {}", core::shorten_id(room.id), details(room, arguments.text("sort"))))};
    answer.message.entry(std::move(text));
  }
  if (page < pages) answer.message.paragraph(fmt::format("The rest: --page {}, or all as a file: --csv", page + 1));
  const std::string caption = core::plural(static_cast<long long>(listing.rooms.size()), "room", "rooms");
  if (arguments.flag("csv")) answer.files.push_back({"rooms.csv", "text/csv", command::to_csv(table), caption});
  if (arguments.flag("json")) answer.files.push_back({"rooms.json", "application/json", answer.json, caption});
  return answer;
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  const bool as_file = arguments.flag("csv") || arguments.flag("json");
  const std::int64_t page = as_file ? 1 : std::max<std::int64_t>(1, arguments.integer("page").value_or(1));
  const std::int64_t limit = arguments.integer("limit").value_or(as_file || context.as_data ? most_in_a_file : shown);
  const std::int64_t offset = (page - 1) * shown;
  core::Result<Listing> listing;
  if (auto read = context.read(); read) {
    db::Arguments query = query_of(arguments, limit, offset);
    const bool name_all = !as_file;
    auto work = [query = std::move(query), name_all](db::Transaction& transaction) { return list(transaction, query, name_all); };
    auto listing_now = (**read).transaction(std::move(work));
    listing = co_await std::move(listing_now);
  } else {
    core::Error missing = read.error();
    listing = co_await ask_synapse(arguments, std::min<std::int64_t>(limit, 10'000), offset, std::move(missing), context);
  }
  if (!listing) co_return core::fail(listing.error());
  std::vector<std::string> ids;
  for (const Listed& room : listing->rooms)
    if (ids.size() < static_cast<std::size_t>(shown)) ids.push_back(room.id);
  if (!ids.empty()) {
    auto stored = co_await context.stores().settings.set_handles(context.asker, 'r', std::move(ids));
    if (!stored) co_return core::fail(stored.error());
  }
  co_return answer_of(*listing, arguments, page);
}

}  // namespace

Command list_rooms() {
  using command::flag;
  Command command;
  command.spec.name = "list-rooms";
  command.spec.alias = "lr";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "The rooms of this server, filtered and sorted";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.arguments = {
      command::optional_positional("text", Type::text, "part of a name or alias, or a whole room id"),
      flag("empty", "without a user of this server"),
      flag("blocked", "blocked by an admin"),
      flag("public", "published in the directory"),
      flag("direct", "looks like a chat of two"),
      flag("encrypted", "encrypted"),
      command::option("older", Type::age, "without an event received for this long"),
      command::choice_option("sort", {"size", "members", "state", "events", "activity", "extremities"}, "the largest first"),
      command::standard::limit(),
      command::standard::page(),
      command::standard::as_csv(),
      command::standard::as_json(),
  };
  command.spec.examples = {{"list-rooms --sort state", "the heaviest by current state"}, {"list-rooms --empty --csv", "all unused rooms as a file"}};
  command.manual = manual("list_rooms");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
