// members: who is in a room, a page at a time, with handles for the commands over users. One SELECT where Synapse's database is at
// hand; else the admin API, which knows the joined ones only. Reads only. The manual page is members.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "commands/listing.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

struct Person { std::string user, name, membership; };
struct People {
  std::int64_t total = 0, joined = 0, joined_local = 0;
  std::int64_t invited = 0, knocked = 0, banned = 0;
  std::vector<Person> shown;
};

awaitable<core::Result<People>> by_database(core::RoomId room, ListPage page, db::Session& read, Context& context) {
  db::Arguments query;
  query.emplace_back("room", room.str());
  query.emplace_back("server", context.options().server_name);
  query.emplace_back("limit", db::bind(page.limit));
  query.emplace_back("offset", db::bind(page.offset));
  auto rows = co_await read.query_within(report_limit, db::sql::room_people, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  People people;
  for (const db::Row& row : *rows) {
    people.total = row.integer("total");
    people.joined = row.integer("joined");
    people.joined_local = row.integer("joined_local");
    people.invited = row.integer("invited");
    people.knocked = row.integer("knocked");
    people.banned = row.integer("banned");
    if (!row.is_null("user_id")) people.shown.push_back({row.text("user_id"), row.text("display_name"), row.text("membership")});
  }
  co_return people;
}

awaitable<core::Result<People>> by_synapse(core::RoomId room, ListPage page, Context& context) {
  auto members = co_await context.admin().room_members(room);
  if (!members) co_return core::fail(members.error());
  const std::string& server = context.options().server_name;
  const auto is_local = [&](const core::UserId& user) { return core::server_of(user) == server; };
  std::sort(members->begin(), members->end(), [&](const core::UserId& left, const core::UserId& right) {
    return std::pair(!is_local(left), left.str()) < std::pair(!is_local(right), right.str());
  });
  People people;
  people.total = people.joined = static_cast<std::int64_t>(members->size());
  people.joined_local = std::count_if(members->begin(), members->end(), is_local);
  const std::int64_t last = std::min(people.total, page.offset + page.limit);
  for (std::int64_t index = page.offset; index < last; ++index)
    people.shown.push_back({members->at(static_cast<std::size_t>(index)).str(), {}, "join"});
  co_return people;
}

std::string counted(const People& people) {
  std::string text = fmt::format("{}, {} of this server", core::plural(people.joined, "member", "members"), core::format_count(people.joined_local));
  if (people.invited > 0) text += fmt::format(" · {} invited", core::format_count(people.invited));
  if (people.knocked > 0) text += fmt::format(" · {} asking to join", core::format_count(people.knocked));
  if (people.banned > 0) text += fmt::format(" · {} banned", core::format_count(people.banned));
  return text;
}

std::string_view membership_words(const std::string& membership) {
  if (membership == "invite") return " · invited";
  if (membership == "knock") return " · asks to join";
  if (membership == "ban") return " · banned";
  return "";
}

command::DataTable table_of(const People& people) {
  command::DataTable table;
  table.columns = {{"user"}, {"display_name"}, {"membership"}};
  for (const Person& person : people.shown) table.rows.push_back({person.user, person.name, person.membership});
  return table;
}

void tell(Answer& answer, const People& people, const ListPage& page) {
  answer.message.title(page_title(counted(people), "Nobody this server knows of is in it", page, people.total));
  for (std::size_t index = 0; index < in_card(people.shown.size()); ++index) {
    const Person& person = people.shown[index];
    std::string rest = person.name.empty() ? std::string() : " " + core::clean_name(person.name, 40);
    rest += membership_words(person.membership);
    matrix::Text line{matrix::plain(fmt::format("u{} ", index + 1)), matrix::bold(core::clean_name(person.user, 80)), matrix::plain(std::move(rest))};
    answer.message.entry(std::move(line));
  }
  if (people.total == 0) answer.message.paragraph("Synapse forgets who is in a room when the last one of this server leaves it.");
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  const core::RoomId room = *arguments.room("room");
  const ListPage page = page_of(arguments, context);
  // Whether the room exists is Synapse's to say; a room without statistics is unknown to it and yet has people in the database.
  auto info = co_await context.admin().room(room);
  auto read = context.read();
  auto listing = read ? by_database(room, page, **read, context) : by_synapse(room, page, context);
  auto people = co_await std::move(listing);
  if (!people) co_return core::fail(people.error());
  if (!info && people->total == 0) {
    if (info.error().code == core::Code::not_found) co_return core::fail(core::Code::not_found, "This server knows no room " + room.str());
    co_return core::fail(info.error());
  }
  std::vector<std::string> ids;
  for (std::size_t index = 0; index < in_card(people->shown.size()); ++index) ids.push_back(people->shown[index].user);
  auto kept = co_await keep_handles('u', std::move(ids), context);
  if (!kept) co_return core::fail(kept.error());
  Answer answer;
  tell(answer, *people, page);
  if (!read) answer.message.paragraph("Invited and banned ones need Synapse's database, which I cannot reach.");
  tell_next_page(answer, page, people->total);
  attach(answer, arguments, table_of(*people), "members");
  co_return answer;
}

}  // namespace

Command members() {
  Command command;
  command.spec.name = "members";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "Who is in a room, invited to it or banned from it";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.arguments = {command::positional("room", command::Type::room, "an id, an alias or a handle like r3"), command::standard::limit(),
                            command::standard::page(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"members #lounge:example.org", ""}, {"members r3 --csv", "all of them, as a file"}};
  command.manual = manual("members");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
