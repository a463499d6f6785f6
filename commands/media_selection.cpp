#include "commands/media_selection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/ids.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;

namespace {

constexpr int most_slices = 10, least_files_of_slice = 1000;
constexpr int most_fine_slices = 1000;
constexpr std::size_t shown_users = 3;
// One pass over tables of some million rows: the session's own time limit is for small reads, sorting in little memory would spill
// to disk, and compiling took five seconds where reading took two.
constexpr const char* long_read = "SET LOCAL statement_timeout = '5min'; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off";

db::Value optional_value(const std::optional<std::int64_t>& number) {
  if (!number) return std::nullopt;
  return db::bind(*number);
}

MediaCount count_of(const db::Row& row) { return {row.integer("files"), core::Bytes{row.integer("bytes")}}; }

core::Result<LocalMedia> read_local(db::Transaction& transaction, const MediaChoice& choice, bool listed) {
  auto set = transaction.exec(long_read);
  if (!set) return core::fail(set.error());
  const db::Value ids = choice.ids ? db::bind_array(*choice.ids) : db::Value();
  auto rows = transaction.exec(db::sql::media_local_choice, {{"user", choice.user},
                                                             {"type", choice.type},
                                                             {"ids", ids},
                                                             {"before", optional_value(choice.before_ms)},
                                                             {"larger", db::bind(choice.larger.count)},
                                                             {"include_profiles", db::bind(choice.include_profiles)},
                                                             {"server", choice.server_name},
                                                             {"listed", db::bind(listed)}});
  if (!rows) return core::fail(rows.error());
  LocalMedia media;
  media.chosen.reserve(listed ? rows->size() : 0);
  for (const db::Row& row : *rows) {
    const MediaCount count = count_of(row);
    media.total += count;
    const std::string verdict = row.text("verdict");
    if (verdict != "chosen") {
      media.others[verdict] = count;
      continue;
    }
    media.wanted += count;
    if (listed) media.chosen.push_back({row.text("media_id"), row.text("user_id"), count.bytes});
  }
  return media;
}

core::Result<RemoteMedia> read_remote(db::Transaction& transaction, std::int64_t before_ms, Slices wanted) {
  auto set = transaction.exec(long_read);
  if (!set) return core::fail(set.error());
  auto rows = transaction.exec(db::sql::media_remote_choice, {{"before", db::bind(before_ms)}});
  if (!rows) return core::fail(rows.error());
  RemoteMedia media;
  for (const db::Row& row : *rows) {
    if (row.text("verdict") == "chosen") media.wanted = count_of(row);
    else media.others[row.text("verdict")] = count_of(row);
  }
  if (wanted == Slices::none || media.wanted.files == 0) return media;
  const bool fine = wanted == Slices::fine;
  auto slices = transaction.exec(db::sql::media_remote_slices, {{"before", db::bind(before_ms)},
                                                                {"most", db::bind(fine ? most_fine_slices : most_slices)},
                                                                {"least_files", db::bind(fine ? 1 : least_files_of_slice)}});
  if (!slices) return core::fail(slices.error());
  // What is promised is the sum of the parts.
  media.wanted = {};
  for (const db::Row& row : *slices) {
    media.slices.push_back({row.integer("before"), count_of(row)});
    media.wanted += count_of(row);
  }
  return media;
}

void add_kept(jobs::Plan& plan, const std::map<std::string, MediaCount>& others, const char* reason, std::string text) {
  const auto found = others.find(reason);
  if (found == others.end() || found->second.files == 0) return;
  plan.kept.push_back({.reason = reason, .text = std::move(text), .count = found->second.files, .bytes = found->second.bytes, .examples = {}});
}

}  // namespace

MediaCount& MediaCount::operator+=(const MediaCount& other) {
  files += other.files;
  bytes += other.bytes;
  return *this;
}

awaitable<core::Result<std::int64_t>> database_now(db::Session& read) {
  auto rows = co_await read.query(db::sql::media_now);
  if (!rows) co_return core::fail(rows.error());
  co_return rows->front().integer("now_ms");
}

awaitable<core::Result<LocalMedia>> select_local(db::Session& read, MediaChoice choice, bool listed) {
  auto work = [choice = std::move(choice), listed](db::Transaction& transaction) { return read_local(transaction, choice, listed); };
  auto reading = read.transaction(std::move(work));
  co_return co_await std::move(reading);
}

awaitable<core::Result<RemoteMedia>> select_remote(db::Session& read, std::int64_t before_ms, Slices slices) {
  auto work = [before_ms, slices](db::Transaction& transaction) { return read_remote(transaction, before_ms, slices); };
  auto reading = read.transaction(std::move(work));
  co_return co_await std::move(reading);
}

std::string in_words(const MediaCount& count) {
  return fmt::format("{}, {}", core::plural(count.files, "file", "files"), core::format_size(count.bytes));
}

void add_local(jobs::Plan& plan, const LocalMedia& media, const MediaChoice& choice) {
  plan.items.reserve(plan.items.size() + media.chosen.size());
  for (const LocalMedia::File& file : media.chosen)
    plan.items.push_back({.kind = "media", .target = core::MediaId{choice.server_name, file.id}.str(), .label = core::shorten_id(file.id),
                          .bytes = file.bytes, .rows = 1, .note = file.user});
  plan.bytes += media.wanted.bytes;
  plan.rows += media.wanted.files;
  add_kept(plan, media.others, "avatar", "in use as a profile or room picture (avatar)");
  add_kept(plan, media.others, "quarantined", "quarantined");
  add_kept(plan, media.others, "protected", "protected");
  add_kept(plan, media.others, "preview", "link previews (Synapse expires them)");
  add_kept(plan, media.others, "small", choice.larger.count > 0 ? "not larger than " + core::format_size(choice.larger) : "empty");
  add_kept(plan, media.others, "reserved", "reserved but never uploaded");
  add_kept(plan, media.others, "recent", "opened since");
}

void add_remote(jobs::Plan& plan, const RemoteMedia& media, const std::string& time_zone) {
  for (const RemoteMedia::Slice& slice : media.slices)
    plan.items.push_back({.kind = "remote-media", .target = fmt::format("remote media before {}", slice.before_ms),
                          .label = "remote, last opened before " + core::format_time(core::from_unix_ms(slice.before_ms), time_zone),
                          .bytes = slice.count.bytes, .rows = slice.count.files, .note = std::to_string(slice.before_ms)});
  plan.bytes += media.wanted.bytes;
  plan.rows += media.wanted.files;
  add_kept(plan, media.others, "quarantined", "remote: quarantined");
  add_kept(plan, media.others, "unopened", "remote: without an access time, which Synapse never purges");
  add_kept(plan, media.others, "recent", "remote: opened since");
}

std::string by_user(const LocalMedia& media) {
  std::map<std::string, std::int64_t> sums;
  for (const LocalMedia::File& file : media.chosen) sums[file.user] += file.bytes.count;
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [user, bytes] : sums) order.emplace_back(-bytes, user);
  std::sort(order.begin(), order.end());
  std::vector<std::string> parts;
  for (const auto& [bytes, user] : order) {
    if (parts.size() == shown_users) {
      parts.push_back(fmt::format("{} more", core::format_count(static_cast<std::int64_t>(order.size() - shown_users))));
      break;
    }
    const std::string name = user.empty() ? "nobody" : std::string(core::localpart(core::UserId(user)));
    parts.push_back(core::clean_name(name, 30) + " " + core::format_size(core::Bytes{-bytes}));
  }
  return core::join(parts, " · ");
}

void raise_level(jobs::Plan& plan, const LocalMedia& media, double share) {
  const double limit = static_cast<double>(media.total.bytes.count) * share;
  if (media.wanted.bytes.count == 0 || static_cast<double>(media.wanted.bytes.count) <= limit) return;
  plan.level = 4;
  plan.level_reason = fmt::format("it takes {} % of the {} of all local media", media.wanted.bytes.count * 100 / media.total.bytes.count,
                                  core::format_size(media.total.bytes));
  plan.word = std::to_string(plan.rows);
}

void store_choice(jobs::Plan& plan, const MediaChoice& choice) {
  plan.parameters["before_ms"] = choice.before_ms ? std::to_string(*choice.before_ms) : "none";
  plan.parameters["include_profiles"] = choice.include_profiles ? "true" : "false";
}

core::Result<MediaChoice> stored_choice(const jobs::Plan& plan, const std::string& server_name) {
  const auto before = plan.parameters.find("before_ms");
  const auto profiles = plan.parameters.find("include_profiles");
  if (before == plan.parameters.end() || profiles == plan.parameters.end())
    return core::fail(core::Code::internal, "The plan does not say how its media were chosen");
  MediaChoice choice;
  choice.server_name = server_name;
  if (before->second != "none") choice.before_ms = std::stoll(before->second);
  choice.include_profiles = profiles->second == "true";
  return choice;
}

awaitable<core::Result<void>> check_owner(std::string user, std::string server_name, db::Session& read) {
  if (user.empty()) co_return core::Result<void>();
  if (core::server_of(core::UserId(user)) != server_name)
    co_return core::fail(core::Code::bad_input, user + " is no user of this server", "only local media have an owner here");
  db::Arguments arguments;
  arguments.emplace_back("user", user);
  auto rows = co_await read.query(db::sql::media_user_known, std::move(arguments));
  if (!rows) co_return core::fail(rows.error());
  if (!rows->front().boolean("known")) co_return core::fail(core::Code::not_found, "There is no user " + user + " on this server");
  co_return core::Result<void>();
}

}  // namespace steward::commands
