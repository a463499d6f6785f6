// media-usage: who and what fills the media store. One statement over Synapse's media tables; by room Synapse is asked room by
// room, because the database does not tell which room a file belongs to. I/O thread. The manual page is media_usage.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "commands/charts.hpp"
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
constexpr std::int64_t most_shown = 30;
constexpr std::int64_t most_in_file = 100000;
constexpr std::int64_t most_rooms = 20;
constexpr std::int64_t months_drawn = 24;

struct Entry {
  std::string name;
  std::int64_t files = 0;
  core::Bytes bytes;
};

struct Usage {
  std::vector<Entry> entries;
  Entry total;
  std::int64_t groups = 0;
};

awaitable<core::Result<Usage>> from_database(std::string by, std::int64_t limit, Context& context, db::Session& read) {
  db::Arguments arguments;
  arguments.emplace_back("by", by);
  arguments.emplace_back("server", context.options().server_name);
  arguments.emplace_back("limit", db::bind(limit));
  auto rows = co_await read.query_within(std::chrono::minutes(2), db::sql::media_usage, std::move(arguments));
  if (!rows) co_return core::fail(rows.error());
  Usage usage;
  for (const db::Row& row : *rows) {
    usage.entries.push_back({row.text("name"), row.integer("files"), core::Bytes{row.integer("bytes")}});
    usage.total = {"", row.integer("all_files"), core::Bytes{row.integer("all_bytes")}};
    usage.groups = row.integer("groups");
  }
  co_return usage;
}

awaitable<core::Result<Entry>> of_room(core::RoomId room, std::string name, Context& context, db::Session& read) {
  auto media = co_await context.admin().room_media(room);
  if (!media) co_return core::fail(media.error());
  std::vector<std::string> local, origins, remote;
  std::sort(media->begin(), media->end());
  media->erase(std::unique(media->begin(), media->end()), media->end());
  for (const core::MediaId& each : *media) {
    if (each.server == context.options().server_name) {
      local.push_back(each.id);
    } else {
      origins.push_back(each.server);
      remote.push_back(each.id);
    }
  }
  db::Arguments arguments;
  arguments.emplace_back("local", db::bind_array(local));
  arguments.emplace_back("origins", db::bind_array(origins));
  arguments.emplace_back("remote", db::bind_array(remote));
  auto sizes = co_await read.query(db::sql::media_usage_sizes, std::move(arguments));
  if (!sizes) co_return core::fail(sizes.error());
  co_return Entry{name.empty() ? room.str() : name, sizes->front().integer("files"), core::Bytes{sizes->front().integer("bytes")}};
}

awaitable<core::Result<Usage>> by_room(std::int64_t limit, Context& context, db::Session& read) {
  db::Arguments arguments;
  arguments.emplace_back("limit", db::bind(limit));
  auto rooms = co_await read.query(db::sql::media_usage_rooms, std::move(arguments));
  if (!rooms) co_return core::fail(rooms.error());
  Usage usage;
  for (const db::Row& row : *rooms) {
    auto entry = co_await of_room(core::RoomId(row.text("room_id")), row.text("name"), context, read);
    if (!entry && entry.error().code == core::Code::not_found) continue;  // purged meanwhile
    if (!entry) co_return core::fail(entry.error());
    usage.total.files += entry->files;
    usage.total.bytes += entry->bytes;
    usage.entries.push_back(std::move(*entry));
  }
  std::stable_sort(usage.entries.begin(), usage.entries.end(), [](const Entry& a, const Entry& b) { return a.bytes > b.bytes; });
  usage.groups = static_cast<std::int64_t>(usage.entries.size());
  co_return usage;
}

std::string name_of(const std::string& by, const Entry& entry) {
  if (entry.name.empty()) return by == "user" ? "(nobody)" : "(unknown)";
  if (const auto user = core::parse_user_id(entry.name); user && by == "user") return core::clean_name(core::localpart(*user), 30);
  return core::clean_name(entry.name, 30);
}

report::Chart chart_of(const std::string& by, const std::string& what, const std::vector<Entry>& entries) {
  Named sizes;
  for (const Entry& entry : entries) sizes.emplace_back(by == "month" ? entry.name : name_of(by, entry), entry.bytes.count);
  if (by == "month") return month_chart(sizes);
  return size_chart("media-by-" + by, what + " by " + by, by, "size of the files", sizes);
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  const std::string by = arguments.text("by");
  const bool as_file = arguments.flag("csv") || arguments.flag("json");
  const std::int64_t wanted = arguments.integer("limit").value_or(as_file && by != "room"                         ? most_in_file
                                                                            : by == "room"                                 ? most_rooms
                                                                            : by == "month" && arguments.flag("chart") ? months_drawn
                                                                                                                           : shown);
  core::Result<Usage> usage = core::fail(core::Code::internal, "not asked");
  if (by == "room") usage = co_await by_room(std::min(wanted, most_rooms), context, **read);
  else usage = co_await from_database(by, std::min(wanted, most_in_file), context, **read);
  if (!usage) co_return core::fail(usage.error());

  command::DataTable table;
  table.columns = {{by}, {"files", true}, {"bytes", true}};
  for (const Entry& entry : usage->entries) table.rows.push_back({entry.name, std::to_string(entry.files), std::to_string(entry.bytes.count)});
  Answer answer;
  const std::string what = by == "user" ? "Local media" : by == "room" ? "Media of unencrypted rooms" : "Media, local and cached";
  answer.message.title(fmt::format("{} by {} · {}, {}", what, by, core::plural(usage->total.files, "file", "files"), core::format_size(usage->total.bytes)));
  const auto most = static_cast<std::size_t>(as_file ? shown : std::min(std::max(wanted, std::int64_t{1}), by == "room" ? shown : most_shown));
  std::vector<Entry> first(usage->entries.begin(), usage->entries.begin() + static_cast<std::ptrdiff_t>(std::min(most, usage->entries.size())));
  if (arguments.flag("chart") && !first.empty()) {
    answer.charts.push_back(chart_of(by, what, first));
  } else {
    for (const Entry& entry : first) {
      matrix::Text head{matrix::bold(name_of(by, entry)), matrix::plain(" — " + core::format_size(entry.bytes))};
      matrix::Text detail{matrix::plain(core::plural(entry.files, "file", "files"))};
      answer.message.entry(std::move(head), std::move(detail));
    }
  }
  const std::int64_t rest = usage->groups - static_cast<std::int64_t>(first.size());
  if (rest > 0 && !as_file) answer.message.paragraph(fmt::format("and {} more; --limit, --csv", core::format_count(rest)));
  if (by == "room")
    answer.message.paragraph("Only unencrypted rooms can be asked for their media, here those that name the most files; a file in two rooms counts in both.");
  answer.json = command::to_json(table);
  if (arguments.flag("csv")) answer.files.push_back({"media-by-" + by + ".csv", "text/csv", command::to_csv(table), what + " by " + by});
  if (arguments.flag("json")) answer.files.push_back({"media-by-" + by + ".json", "application/json", answer.json, what + " by " + by});
  co_return answer;
}

}  // namespace

Command media_usage() {
  Command command;
  command.spec.name = "media-usage";
  command.spec.alias = "mu";
  command.spec.group = command::Group::media;
  command.spec.summary = "What fills the media store: by user, server, type, month or room";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.arguments = {command::choice_option("by", {"user", "server", "type", "month", "room"}, "what to add up", "user"),
                            command::standard::limit(), command::standard::chart(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"media-usage --by server", "whose copies fill the cache"}, {"media-usage --by month --chart", ""}};
  command.manual = manual("media_usage");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
