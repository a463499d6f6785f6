// list-media and list-quarantined: the files of the media store, filtered and sorted, a page at a time. One SELECT; the media of a room
// are asked of Synapse, because the database does not tell which room a file belongs to. Reads only. Manual pages: list_media.md,
// list_quarantined.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "command/data_table.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "commands/listing.hpp"
#include "commands/media_selection.hpp"
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

struct Listed {
  std::string mxc, origin, uploader, type, name, quarantined_by;
  core::Bytes bytes;
  std::int64_t created_ms = 0, now_ms = 0;
  std::optional<std::int64_t> opened_ms;
  bool is_protected = false, preview = false;
};
struct Listing {
  std::int64_t total = 0;
  core::Bytes bytes;
  std::vector<Listed> media;
};

// What is listed; the two commands differ in it.
struct Wanted {
  bool local = true, remote = false, quarantined = false;
  std::string user;
  std::optional<std::vector<std::string>> ids;  // only these, of a room
};

Listed listed_from(const db::Row& row) {
  Listed media;
  media.mxc = core::MediaId{row.text("origin"), row.text("media_id")}.str();
  media.origin = row.text("origin");
  media.uploader = row.text("uploader");
  media.type = row.text("media_type");
  media.name = row.text("upload_name");
  media.quarantined_by = row.text("quarantined_by");
  media.bytes = core::Bytes{row.integer("bytes")};
  media.created_ms = row.integer("created_ts");
  media.opened_ms = row.optional_integer("last_access_ts");
  media.now_ms = row.integer("now_ms");
  media.is_protected = row.boolean("protected");
  media.preview = row.boolean("preview");
  return media;
}

db::Arguments query_of(const Wanted& wanted, const Arguments& arguments, const ListPage& page, const std::string& server, bool chosen) {
  db::Arguments query;
  const auto size = chosen ? arguments.size("min-size") : std::nullopt;
  const auto older = chosen ? arguments.age("older") : std::nullopt;
  query.emplace_back("server", server);
  query.emplace_back("local", db::bind(wanted.local));
  query.emplace_back("remote", db::bind(wanted.remote));
  query.emplace_back("quarantined", db::bind(wanted.quarantined));
  query.emplace_back("user", wanted.user);
  query.emplace_back("min_size", db::bind(size ? size->count : 0));
  query.emplace_back("older", older ? db::bind(older->count()) : std::nullopt);
  query.emplace_back("ids", wanted.ids ? db::bind_array(*wanted.ids) : std::nullopt);
  query.emplace_back("sort", chosen ? arguments.text("sort") : std::string());
  query.emplace_back("limit", db::bind(page.limit));
  query.emplace_back("offset", db::bind(page.offset));
  return query;
}

awaitable<core::Result<Listing>> list(db::Session& read, db::Arguments query) {
  auto rows = co_await read.query_within(report_limit, db::sql::media_list, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  Listing listing;
  for (const db::Row& row : *rows) {
    listing.total = row.integer("total");
    listing.bytes = core::Bytes{row.integer("total_bytes")};
    if (!row.is_null("media_id")) listing.media.push_back(listed_from(row));
  }
  co_return listing;
}

std::string age_text(std::int64_t then_ms, std::int64_t now_ms) {
  return core::format_age(std::chrono::seconds(std::max<std::int64_t>(0, now_ms - then_ms) / 1000)) + " ago";
}

std::string uploader_text(const Listed& media) {
  const auto user = core::parse_user_id(media.uploader);
  return core::clean_name(user ? "@" + std::string(core::localpart(*user)) : media.uploader, 30);
}

// One line under the handle; the address of the file is in !media and in the file.
std::string details(const Listed& media) {
  std::vector<std::string> parts;
  if (!media.name.empty()) parts.push_back(core::clean_name(media.name, 30));
  parts.push_back(media.uploader.empty() ? core::clean_name(media.origin) : "by " + uploader_text(media));
  parts.push_back(age_text(media.created_ms, media.now_ms));
  parts.push_back(media.opened_ms ? "opened " + age_text(*media.opened_ms, media.now_ms) : "never opened");
  if (media.preview) parts.emplace_back("link preview");
  if (!media.quarantined_by.empty()) parts.push_back("quarantined by " + core::clean_name(media.quarantined_by, 60));
  if (media.is_protected) parts.emplace_back("protected");
  return core::join(parts, " · ");
}

command::DataTable table_of(const Listing& listing) {
  command::DataTable table;
  table.columns = {{"media"}, {"uploader"}, {"type"}, {"bytes", true}, {"uploaded_ms", true}, {"opened_ms", true}, {"name"}, {"quarantined_by"}, {"protected"}, {"link_preview"}};
  const auto yes = [](bool value) { return std::string(value ? "yes" : "no"); };
  for (const Listed& media : listing.media)
    table.rows.push_back({media.mxc, media.uploader, media.type, std::to_string(media.bytes.count), std::to_string(media.created_ms),
                          media.opened_ms ? std::to_string(*media.opened_ms) : std::string(), media.name, media.quarantined_by,
                          yes(media.is_protected), yes(media.preview)});
  return table;
}

void tell_list(Answer& answer, const Listing& listing, const ListPage& page, const std::string& none) {
  const std::string counted = fmt::format("{}, {}", core::plural(listing.total, "file", "files"), core::format_size(listing.bytes));
  answer.message.title(page_title(counted, none, page, listing.total));
  for (std::size_t index = 0; index < in_card(listing.media.size()); ++index) {
    const Listed& media = listing.media[index];
    const std::string kind = media.type.empty() ? "unknown type" : core::clean_name(media.type, 40);
    matrix::Text head{matrix::plain(fmt::format("m{} ", index + 1)), matrix::bold(core::format_size(media.bytes)), matrix::plain(fmt::format(" {} · {}", kind, details(media)))};
    answer.message.entry(std::move(head));
  }
}

awaitable<core::Result<Answer>> answer_for(Wanted wanted, Arguments arguments, bool chosen, std::string none, db::Session& read, Context& context) {
  const ListPage page = page_of(arguments, context);
  db::Arguments query = query_of(wanted, arguments, page, context.options().server_name, chosen);
  auto listing = co_await list(read, std::move(query));
  if (!listing) co_return core::fail(listing.error());
  std::vector<std::string> ids;
  for (std::size_t index = 0; index < in_card(listing->media.size()); ++index) ids.push_back(listing->media[index].mxc);
  auto kept = co_await keep_handles('m', std::move(ids), context);
  if (!kept) co_return core::fail(kept.error());
  Answer answer;
  tell_list(answer, *listing, page, none);
  tell_next_page(answer, page, listing->total);
  attach(answer, arguments, table_of(*listing), wanted.quarantined ? "quarantined" : "media");
  co_return answer;
}

// Which files the unencrypted messages of a room name; `said` tells the limits of that.
awaitable<core::Result<std::vector<std::string>>> media_of(core::RoomId room, std::string& said, Context& context) {
  auto info = co_await context.admin().room(room);
  if (!info && info.error().code == core::Code::not_found) co_return core::fail(core::Code::not_found, "This server knows no room " + room.str());
  if (!info) co_return core::fail(info.error());
  auto media = co_await context.admin().room_media(room);
  if (!media) co_return core::fail(media.error());
  said = info->encryption.empty() ? "Only what the room's unencrypted messages name."
                                  : "The room is encrypted: only what messages from before that name; nobody can tell the files of encrypted ones.";
  std::vector<std::string> ids;
  for (const core::MediaId& each : *media) ids.push_back(each.str());
  co_return ids;
}

awaitable<core::Result<Answer>> show_media(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  Wanted wanted;
  wanted.remote = arguments.flag("remote");
  wanted.local = !wanted.remote;
  if (const auto user = arguments.user("user")) wanted.user = user->str();
  if (wanted.remote && !wanted.user.empty())
    co_return core::fail(core::Code::bad_input, "A user and --remote do not go together", "of other servers' media nobody here knows who uploaded them");
  auto known = co_await check_owner(wanted.user, context.options().server_name, **read);
  if (!known) co_return core::fail(known.error());
  std::string said;
  if (const auto room = arguments.room("room")) {
    auto ids = co_await media_of(*room, said, context);
    if (!ids) co_return core::fail(ids.error());
    wanted.ids = std::move(*ids);
  }
  auto answer = co_await answer_for(std::move(wanted), arguments, /*chosen=*/true, "No file is like that", **read, context);
  if (answer && !said.empty()) answer->message.paragraph(said);
  co_return answer;
}

awaitable<core::Result<Answer>> show_quarantined(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  Wanted wanted;
  wanted.remote = true;
  wanted.quarantined = true;
  co_return co_await answer_for(std::move(wanted), std::move(arguments), /*chosen=*/false, "Nothing is quarantined", **read, context);
}

}  // namespace

Command list_media() {
  Command command;
  command.spec.name = "list-media";
  command.spec.group = command::Group::media;
  command.spec.summary = "The files of the media store, filtered and sorted";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.arguments = {
      command::optional_positional("room", Type::room, "only what its unencrypted messages name"),
      command::optional_positional("user", Type::user, "only what this user uploaded"),
      command::choice_option("sort", {"size", "age", "access"}, "the largest, the oldest, the longest unopened first"),
      command::option("min-size", Type::size, "at least this large"),
      command::option("older", Type::age, "not opened for this long"),
      command::flag("remote", "the cache of other servers' media"),
      command::standard::limit(),
      command::standard::page(),
      command::standard::as_csv(),
      command::standard::as_json(),
  };
  command.spec.examples = {{"list-media --sort size", "the largest first"}, {"list-media @bob --older 1y --csv", "as a file"}};
  command.manual = manual("list_media");
  command.answer = show_media;
  return command;
}

Command list_quarantined() {
  Command command;
  command.spec.name = "list-quarantined";
  command.spec.group = command::Group::media;
  command.spec.summary = "Quarantined media, local and cached, and who did it";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {command::standard::limit(), command::standard::page(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"list-quarantined", "the newest first"}};
  command.manual = manual("list_quarantined");
  command.answer = show_quarantined;
  return command;
}

}  // namespace steward::commands
