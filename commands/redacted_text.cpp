#include "commands/redacted_text.hpp"

#include <set>

#include "matrix/censored.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

namespace {

RedactedRows rows_of(const db::Row& row) { return {row.integer("search_rows"), row.integer("old_columns"), row.integer("names")}; }

struct Page {
  std::vector<RedactedEvent> censored;
  std::vector<std::string> uncensored;
  std::string last;  // redaction; empty: there was none
};

// Judged on the session's thread, so that the JSON never leaves it.
core::Result<Page> read_page(db::Transaction& transaction, const RedactedChoice& choice, const std::string& after) {
  const auto older = std::chrono::duration_cast<std::chrono::milliseconds>(choice.older).count();
  auto rows = transaction.exec(db::sql::redacted_page, {{"after", after}, {"older", db::bind(older)}, {"room", choice.room}});
  if (!rows) return core::fail(rows.error());
  Page page;
  for (const db::Row& row : *rows) {
    page.last = row.text("redaction");
    if (row.is_null("event_id")) continue;
    if (matrix::is_censored(row.text("json"))) page.censored.push_back({row.text("event_id"), rows_of(row)});
    else page.uncensored.push_back(row.text("event_id"));
  }
  return page;
}

}  // namespace

RedactedRows& RedactedRows::operator+=(const RedactedRows& other) {
  search += other.search;
  old_columns += other.old_columns;
  names += other.names;
  return *this;
}

boost::asio::awaitable<core::Result<RedactedText>> find_redacted_text(db::Session& read, RedactedChoice choice) {
  RedactedText text;
  std::set<std::string> seen;  // an event may be redacted twice
  for (std::string after;;) {
    auto work = [&choice, after](db::Transaction& transaction) { return read_page(transaction, choice, after); };
    auto reading = read.transaction(std::move(work));
    auto page = co_await std::move(reading);
    if (!page) co_return core::fail(page.error());
    if (page->last.empty()) co_return text;
    after = page->last;
    for (RedactedEvent& event : page->censored)
      if (seen.insert(event.event_id).second) text.events.push_back(std::move(event));
    for (const std::string& event : page->uncensored)
      if (seen.insert(event).second) ++text.uncensored;
  }
}

core::Result<RedactedCleaning> clean_redacted_text(db::Transaction& transaction, const std::string& events) {
  auto stored = transaction.exec(db::sql::redacted_recheck, {{"events", events}});
  if (!stored) return core::fail(stored.error());
  RedactedCleaning cleaning;
  std::vector<std::string> censored;
  for (const db::Row& row : *stored) {
    const bool sure = !row.is_null("json") && matrix::is_censored(row.text("json"));
    (sure ? censored : cleaning.kept).push_back(row.text("event_id"));
  }
  if (censored.empty()) return cleaning;
  auto cleaned = transaction.exec(db::sql::redacted_clean, {{"events", db::bind_array(censored)}});
  if (!cleaned) return core::fail(cleaned.error());
  cleaning.rows = rows_of(cleaned->front());
  return cleaning;
}

}  // namespace steward::commands
