// media: one card about one file of the media store. Reads only: four statements by index and one over the pictures in use. The manual
// page is media.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/listing.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Type;

namespace {

constexpr int first_schema_with_hashes = 91;
constexpr std::int64_t most_named = 5;

std::string ago(const db::Row& row, const char* column) {
  if (row.is_null(column)) return "never";
  const std::int64_t ms = row.integer("now_ms") - row.integer(column);
  return core::format_age(std::chrono::seconds(std::max<std::int64_t>(0, ms) / 1000)) + " ago";
}

void add_file(Sheet& sheet, const core::MediaId& media, const db::Row& row) {
  const bool local = row.boolean("local");
  sheet.add("Media", core::clean_name(media.str(), 300));
  if (local) sheet.add("Uploaded by", row.is_null("uploader") ? "nobody" : core::clean_name(row.text("uploader"), 80));
  else sheet.add("Cached from", core::clean_name(media.server, 80));
  sheet.add("Size", row.is_null("bytes") ? "reserved, never uploaded" : core::format_size(core::Bytes{row.integer("bytes")}));
  if (!row.text("media_type").empty()) sheet.add("Type", core::clean_name(row.text("media_type")));
  if (!row.text("upload_name").empty()) sheet.add("Name", core::clean_name(row.text("upload_name")));
  sheet.add(local ? "Uploaded" : "Fetched", ago(row, "created_ts"));
  sheet.add("Opened", ago(row, "last_access_ts"));
  if (row.boolean("preview")) sheet.add("Kind", "picture of a link preview, which Synapse deletes by itself");
  sheet.add("Quarantined", row.is_null("quarantined_by") ? "no" : "by " + core::clean_name(row.text("quarantined_by"), 80));
  if (local) sheet.add("Protected", row.boolean("protected") ? "yes, from a quarantine by room or user" : "no");
  const std::int64_t thumbnails = row.integer("thumbnails");
  sheet.add("Thumbnails", thumbnails == 0 ? "none" : fmt::format("{}, {}", thumbnails, core::format_size(core::Bytes{row.integer("thumbnail_bytes")})));
}

// "@ann:hs.test, @bob:hs.test and 3 more": the rows of one kind.
std::string users_of(const db::Rows& rows, std::string_view kind) {
  std::vector<std::string> names;
  std::int64_t all = 0;
  for (const db::Row& row : rows) {
    if (row.text("kind") != kind) continue;
    all = row.integer("of_kind");
    if (static_cast<std::int64_t>(names.size()) < most_named) names.push_back(core::clean_name(row.text("name"), 80));
  }
  const std::int64_t rest = all - static_cast<std::int64_t>(names.size());
  return core::join(names, ", ") + (rest > 0 ? fmt::format(" and {} more", core::format_count(rest)) : "");
}

awaitable<core::Result<void>> add_pictures(Sheet& sheet, core::MediaId media, std::string server, db::Session& read) {
  db::Arguments query;
  query.emplace_back("mxc", media.str());
  query.emplace_back("server", server);
  query.emplace_back("limit", db::bind(most_named));
  auto rows = co_await read.query(db::sql::media_avatar_of, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  sheet.add("Picture of users", users_of(*rows, "user"));
  sheet.add("In single rooms", users_of(*rows, "member"));
  sheet.add("Picture of rooms", users_of(*rows, "room"));
  if (rows->empty()) sheet.add("Picture of", "nobody and no room");
  co_return core::Result<void>();
}

awaitable<core::Result<void>> add_copies(Sheet& sheet, db::Arguments query, db::Session& read) {
  auto schema = co_await db::schema_state(read);
  if (!schema) co_return core::fail(schema.error());
  if (schema->version < first_schema_with_hashes) {
    sheet.add("Same content", "not known: this Synapse keeps no hashes of its files (1.128 does)");
    co_return core::Result<void>();
  }
  query.emplace_back("limit", db::bind(most_named));
  auto rows = co_await read.query(db::sql::media_same, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  std::vector<std::string> copies;
  for (const db::Row& row : *rows) {
    const core::MediaId copy{row.text("origin"), row.text("media_id")};
    copies.push_back(core::clean_name(copy.str(), 300) + (row.boolean("quarantined") ? " (quarantined)" : ""));
  }
  const std::int64_t rest = (rows->empty() ? 0 : rows->front().integer("total")) - static_cast<std::int64_t>(copies.size());
  if (rest > 0) copies.push_back(fmt::format("and {} more", core::format_count(rest)));
  sheet.add("Same content", copies.empty() ? "nowhere else that is known" : core::join(copies, ", "));
  co_return core::Result<void>();
}

awaitable<core::Result<Answer>> show(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  const auto media = core::parse_media_id(arguments.text("media"));
  if (!media)
    co_return core::fail(core::Code::bad_input, "A message is no file", "what it names can only be read by a client", "give the file's mxc:// address, or a handle of !list-media");
  const std::string server = context.options().server_name;
  db::Arguments query;
  query.emplace_back("origin", media->server);
  query.emplace_back("server", server);
  query.emplace_back("media_id", media->id);
  db::Arguments for_copies = query;
  auto rows = co_await (**read).query(db::sql::media_card, std::move(query));
  if (!rows) co_return core::fail(rows.error());
  if (rows->empty())
    co_return core::fail(core::Code::not_found, media->server == server ? "This server has no such file" : "That file is not in the cache of this server");
  const db::Row& row = rows->front();
  Sheet sheet;
  add_file(sheet, *media, row);
  auto pictures = co_await add_pictures(sheet, *media, server, **read);
  if (!pictures) co_return core::fail(pictures.error());
  auto copies = co_await add_copies(sheet, std::move(for_copies), **read);
  if (!copies) co_return core::fail(copies.error());
  Answer answer;
  answer.message.title(fmt::format("{} file · {}", row.boolean("local") ? "Local" : "Cached", row.is_null("bytes") ? "reserved" : core::format_size(core::Bytes{row.integer("bytes")})));
  sheet.into(answer);
  co_return answer;
}

}  // namespace

Command media() {
  Command command;
  command.spec.name = "media";
  command.spec.group = command::Group::media;
  command.spec.summary = "One file: uploader, size, times, marks, who uses it, copies";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "S";
  command.spec.arguments = {command::positional("media", Type::media, "mxc://…, a link, or a handle like m5")};
  command.spec.examples = {{"media m3", "the third of the list you were last shown"}};
  command.manual = manual("media");
  command.answer = show;
  return command;
}

}  // namespace steward::commands
