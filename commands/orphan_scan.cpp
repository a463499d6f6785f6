#include "commands/orphan_scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.hpp"
#include "core/units.hpp"
#include "db/names.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;

namespace {

constexpr std::string_view lowest_number = "-9223372036854775808";
constexpr auto statement_limit = std::chrono::seconds(30);
constexpr int tries = 5;
constexpr jobs::BatchSize::Limits page_size{.start = 5000, .least = 100, .most = 100'000, .target = std::chrono::milliseconds(250)};

std::string first_key(const OrphanKind& kind) { return kind.type == "text" ? std::string() : std::string(lowest_number); }

bool takes(const db::Statement& statement, std::string_view parameter) {
  return std::find(statement.parameters.begin(), statement.parameters.end(), parameter) != statement.parameters.end();
}

core::Result<db::Rows> exec(db::Transaction& transaction, const OrphanKind& kind, const db::Statement& statement, const OrphanMoment& moment,
                            const std::string& after, const std::optional<std::string>& until, std::int64_t limit) {
  const std::string text = db::with_names(statement, {{"table", kind.table}, {"key", kind.key}, {"type", kind.type}});
  db::Statement named = statement;
  named.text = text;
  const std::int64_t age = std::chrono::duration_cast<std::chrono::milliseconds>(kind.age).count();
  db::Arguments arguments{{"after", after}, {"until", until}, {"limit", db::bind(limit)}};
  if (takes(statement, "settled")) arguments.emplace_back("settled", db::bind(moment.settled));
  if (takes(statement, "before")) arguments.emplace_back("before", db::bind(moment.now_ms - age));
  return transaction.exec(named, arguments);
}

struct Page {
  std::int64_t scanned = 0, found = 0;
  std::string last;
};

awaitable<core::Result<Page>> read_page(db::Session& read, const OrphanKind& kind, OrphanMoment moment, std::string after,
                                        std::optional<std::string> until, jobs::BatchSize& size) {
  for (int tried = 1;; ++tried) {
    auto work = [&, limit = size.rows()](db::Transaction& transaction) -> core::Result<Page> {
      auto limited = transaction.exec(fmt::format("SET LOCAL statement_timeout = {}", std::chrono::milliseconds(statement_limit).count()));
      if (!limited) return core::fail(limited.error());
      auto rows = exec(transaction, kind, *kind.find, moment, after, until, limit);
      if (!rows) return core::fail(rows.error());
      const db::Row& row = rows->front();
      return Page{row.integer("scanned"), row.integer("found"), row.text("last")};
    };
    const auto started = std::chrono::steady_clock::now();
    auto reading = read.transaction(std::move(work));
    auto page = co_await std::move(reading);
    if (page) size.took(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started));
    if (page || page.error().code != core::Code::timeout || tried == tries) co_return page;
    size.halve();
  }
}

void append_text(std::string& note, const std::string& text) { note += fmt::format("{}:{}", text.size(), text); }

// A number up to `end`; moves `text` behind it.
std::optional<std::int64_t> take_number(std::string_view& text, char end) {
  std::int64_t number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || stop == text.data() + text.size() || *stop != end) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
  return number;
}

std::optional<std::string> take_text(std::string_view& text) {
  const auto length = take_number(text, ':');
  if (!length || *length < 0 || static_cast<std::size_t>(*length) > text.size()) return std::nullopt;
  std::string taken(text.substr(0, static_cast<std::size_t>(*length)));
  text.remove_prefix(taken.size());
  return taken;
}

}  // namespace

awaitable<core::Result<OrphanMoment>> orphan_moment(db::Session& read) {
  auto rows = co_await read.query(db::sql::orphans_moment);
  if (!rows) co_return core::fail(rows.error());
  OrphanMoment moment;
  moment.now_ms = rows->front().integer("now_ms");
  moment.settled = rows->front().integer("settled");
  co_return moment;
}

awaitable<core::Result<std::map<std::string, OrphanTable>>> orphan_tables(db::Session& read) {
  std::vector<std::string> names;
  for (const OrphanKind& kind : orphan_kinds()) names.emplace_back(kind.table);
  db::Arguments arguments;
  arguments.emplace_back("tables", db::bind_array(names));
  auto rows = co_await read.query(db::sql::orphans_tables, std::move(arguments));
  if (!rows) co_return core::fail(rows.error());
  std::map<std::string, OrphanTable> tables;
  for (const db::Row& row : *rows)
    for (const OrphanKind& kind : orphan_kinds())
      if (kind.table == row.text("name"))
        tables[std::string(kind.name)] = {row.optional_integer("rows"), row.boolean("can_delete")};
  co_return tables;
}

awaitable<core::Result<OrphanSearch>> search_orphans(db::Session& read, const OrphanKind& kind, OrphanMoment moment, std::string from,
                                                     std::chrono::milliseconds allowed) {
  const auto until_time = std::chrono::steady_clock::now() + allowed;
  OrphanSearch search;
  jobs::BatchSize size(page_size);
  // Two ways when the last search was cut short: the rest first, then the beginning.
  std::vector<std::pair<std::string, std::optional<std::string>>> ways;
  if (!from.empty()) ways.emplace_back(from, std::nullopt);
  ways.emplace_back(first_key(kind), from.empty() ? std::optional<std::string>() : from);
  for (auto& [after, until] : ways) {
    for (;;) {
      auto page = co_await read_page(read, kind, moment, after, until, size);
      if (!page) co_return core::fail(page.error());
      if (page->scanned == 0) break;
      search.scanned += page->scanned;
      search.found += page->found;
      if (page->found > 0) search.ranges.push_back({after, page->last, page->found});
      after = page->last;
      search.reached = page->last;
      if (std::chrono::steady_clock::now() > until_time) co_return search;
    }
  }
  search.whole = true;
  search.reached.clear();
  co_return search;
}

std::string encode_search(const OrphanMoment& moment, const OrphanSearch& search) {
  std::string note = fmt::format("1 {} {} ", moment.now_ms, moment.settled);
  for (const OrphanRange& range : search.ranges) {
    note += fmt::format("{} ", range.rows);
    append_text(note, range.after);
    append_text(note, range.last);
  }
  return note;
}

std::optional<std::pair<OrphanMoment, std::vector<OrphanRange>>> decode_search(const std::string& note) {
  std::string_view text = note;
  const auto version = take_number(text, ' '), now = take_number(text, ' '), settled = take_number(text, ' ');
  if (!version || *version != 1 || !now || !settled) return std::nullopt;
  std::pair<OrphanMoment, std::vector<OrphanRange>> decoded;
  decoded.first = {*now, *settled};
  while (!text.empty()) {
    const auto rows = take_number(text, ' ');
    auto after = take_text(text), last = take_text(text);
    if (!rows || !after || !last) return std::nullopt;
    decoded.second.push_back({std::move(*after), std::move(*last), *rows});
  }
  return decoded;
}

core::Result<std::int64_t> count_orphans(db::Transaction& transaction, const OrphanKind& kind, const OrphanMoment& moment, const OrphanRange& range) {
  std::int64_t found = 0;
  for (std::string after = range.after;;) {
    auto rows = exec(transaction, kind, *kind.find, moment, after, range.last, page_size.start);
    if (!rows) return core::fail(rows.error());
    const db::Row& row = rows->front();
    if (row.integer("scanned") == 0) return found;
    found += row.integer("found");
    after = row.text("last");
  }
}

namespace {

// A page with as many orphans as a batch may take may hold more: the next batch begins with it again.
core::Result<jobs::Batch> clean_page(db::Transaction& transaction, const OrphanKind& kind, const OrphanMoment& moment, const OrphanRange& range,
                                     const std::string& after, std::int64_t size) {
  auto done = exec(transaction, kind, *kind.clean, moment, after, range.last, size);
  if (!done) return core::fail(done.error());
  const db::Row& row = done->front();
  jobs::Batch batch{row.integer("scanned"), row.integer("gone"), {}, {}};
  batch.after.push_back(batch.changed >= size ? after : row.text("last"));
  for (const std::string& column : row.columns()) {
    if (column == "scanned" || column == "last") continue;
    const std::string table(column == "gone" ? kind.table : std::string_view(column));
    if (row.integer(column) > 0) batch.by_table[table] += row.integer(column);
  }
  return batch;
}

}  // namespace

core::Result<jobs::Batch> clean_orphans_batch(db::Transaction& transaction, const OrphanKind& kind, const OrphanMoment& moment,
                                              const std::vector<OrphanRange>& ranges, const std::vector<std::string>& after, std::int64_t size) {
  std::size_t number = after.empty() ? 0 : std::stoull(after.at(0));
  std::string key = after.empty() ? std::string() : after.at(1);
  std::int64_t gone = after.empty() ? 0 : std::stoll(after.at(2));
  if (after.empty() && !ranges.empty()) key = ranges.front().after;
  while (number < ranges.size()) {
    const OrphanRange& range = ranges[number];
    if (key == range.after && gone == 0) {
      auto found = count_orphans(transaction, kind, moment, range);
      if (!found) return core::fail(found.error());
      if (*found > range.rows) return core::fail(core::Code::rejected, std::string(more_than_planned));
    }
    if (gone < range.rows) {
      auto batch = clean_page(transaction, kind, moment, range, key, size);
      if (!batch) return batch;
      if (gone + batch->changed > range.rows) return core::fail(core::Code::rejected, std::string(more_than_planned));
      if (batch->scanned > 0) {
        batch->after = {std::to_string(number), batch->after.front(), std::to_string(gone + batch->changed)};
        return batch;
      }
    }
    if (++number < ranges.size()) key = ranges[number].after;
    gone = 0;
  }
  return jobs::Batch();
}

std::vector<std::string> behind_range(const std::vector<OrphanRange>& ranges, const std::vector<std::string>& after) {
  const std::size_t next = after.empty() ? 1 : std::stoull(after.at(0)) + 1;
  return {std::to_string(next), next < ranges.size() ? ranges[next].after : std::string(), "0"};
}

namespace {

constexpr auto least_share = std::chrono::milliseconds(100);
constexpr std::string_view next_key = "orphans.next.";

awaitable<core::Result<void>> survey_one(db::Session& read, db::SettingStore& settings, OrphanMoment moment, std::chrono::milliseconds allowed,
                                         OrphansFound& found) {
  const std::string place = std::string(next_key) + std::string(found.kind->name);
  auto next = co_await settings.get(place);
  if (!next) co_return core::fail(next.error());
  const std::string from = next->value_or("");
  auto search = co_await search_orphans(read, *found.kind, moment, from, allowed);
  if (!search) {
    // One table that cannot be read, for want of a right or of time, hides no other.
    if (core::is_temporary(search.error()) && search.error().code != core::Code::timeout) co_return core::fail(search.error());
    found.problem = core::describe(search.error());
    co_return core::Result<void>();
  }
  found.search = std::move(*search);
  if (found.search.whole && !from.empty()) co_return co_await settings.erase(place);
  if (!found.search.whole) co_return co_await settings.put(place, found.search.reached);
  co_return core::Result<void>();
}

}  // namespace

awaitable<core::Result<OrphanSurvey>> survey_orphans(db::Session& read, db::SettingStore& settings, int schema_version,
                                                     std::chrono::milliseconds allowed, bool never) {
  OrphanSurvey survey;
  auto moment = co_await orphan_moment(read);
  if (!moment) co_return core::fail(moment.error());
  survey.moment = *moment;
  auto tables = co_await orphan_tables(read);
  if (!tables) co_return core::fail(tables.error());
  for (const OrphanKind& kind : orphan_kinds()) {
    if (kind.care == OrphanCare::never && !never) continue;
    const auto table = tables->find(std::string(kind.name));
    if (table == tables->end()) {
      if (kind.since <= schema_version) survey.absent.emplace_back(kind.table);
      continue;
    }
    OrphansFound found;
    found.kind = &kind;
    found.table = table->second;
    survey.kinds.push_back(std::move(found));
  }
  if (const auto json = tables->find("event_json"); json != tables->end()) survey.events = json->second.rows;
  std::vector<OrphansFound*> order;
  for (OrphansFound& found : survey.kinds) order.push_back(&found);
  std::stable_sort(order.begin(), order.end(), [](const OrphansFound* a, const OrphansFound* b) { return a->table.rows.value_or(0) < b->table.rows.value_or(0); });
  const auto end = std::chrono::steady_clock::now() + allowed;
  for (std::size_t index = 0; index < order.size(); ++index) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const auto share = std::max<std::chrono::milliseconds>(least_share, left / static_cast<int>(order.size() - index));
    auto surveyed = co_await survey_one(read, settings, survey.moment, share, *order[index]);
    if (!surveyed) co_return core::fail(surveyed.error());
  }
  co_return survey;
}

std::string found_text(const OrphansFound& found) {
  const std::string rows = core::plural(found.search.found, "row", "rows");
  if (found.search.whole) return rows;
  const std::int64_t all = std::max(found.table.rows.value_or(0), found.search.scanned);
  return fmt::format("≥ {} ({} % of ≈ {} looked at)", rows, found.search.scanned * 100 / std::max<std::int64_t>(1, all), core::format_count(all));
}

}  // namespace steward::commands
