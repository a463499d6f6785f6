// Reads a kind of orphans in pages by key and deletes what was found in them: the search behind check-orphans and the plan of
// clean-orphans, and its act. I/O thread; the functions that take a Transaction run on its session's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "commands/orphan_kinds.hpp"
#include "core/error.hpp"
#include "db/session.hpp"
#include "db/store.hpp"
#include "jobs/batches.hpp"

namespace steward::commands {

// What a search is frozen by: rows that come or expire later are none of it.
struct OrphanMoment {
  std::int64_t now_ms = 0;   // the database's
  std::int64_t settled = 0;  // the newest state group that was in use an hour ago
};
boost::asio::awaitable<core::Result<OrphanMoment>> orphan_moment(db::Session& read);

struct OrphanTable {
  std::optional<std::int64_t> rows;  // by the planner; nullopt: never analysed
  bool can_delete = false;
};
// By the name of the kind; a kind whose table is not there is missing from it.
boost::asio::awaitable<core::Result<std::map<std::string, OrphanTable>>> orphan_tables(db::Session& read);

// Keys after `after` up to `last` hold `rows` orphans. The act takes no more than that from them.
struct OrphanRange {
  std::string after, last;
  std::int64_t rows = 0;
};

struct OrphanSearch {
  std::vector<OrphanRange> ranges;  // those with orphans
  std::int64_t found = 0, scanned = 0;
  bool whole = false;               // every key was looked at
  std::string reached;              // else: where the next search goes on
};

// From `from` ("": the first key) to the end and from the first key to `from`, until done or `allowed` is over. Each statement
// is short; it stops where nothing is left to look at, not where nothing was found.
boost::asio::awaitable<core::Result<OrphanSearch>> search_orphans(db::Session& read, const OrphanKind& kind, OrphanMoment moment, std::string from,
                                                                  std::chrono::milliseconds allowed);

// What the plan knows, as the note of its item; nullopt: not understood.
std::string encode_search(const OrphanMoment& moment, const OrphanSearch& search);
std::optional<std::pair<OrphanMoment, std::vector<OrphanRange>>> decode_search(const std::string& note);

// How many of the planned rows still qualify.
core::Result<std::int64_t> count_orphans(db::Transaction& transaction, const OrphanKind& kind, const OrphanMoment& moment, const OrphanRange& range);

// One batch over the ranges, for jobs::Batches: deletes at most `size` orphans. `after` is the range's number, the key within it and
// how many of its rows are gone already; empty to begin. rejected (more_than_planned) when a range holds more orphans than were
// found in it: then some are not the plan's, and nothing of it goes.
core::Result<jobs::Batch> clean_orphans_batch(db::Transaction& transaction, const OrphanKind& kind, const OrphanMoment& moment,
                                              const std::vector<OrphanRange>& ranges, const std::vector<std::string>& after, std::int64_t size);
inline constexpr std::string_view more_than_planned = "more rows qualify there than were planned";
// The same place behind the range at which `after` stands.
std::vector<std::string> behind_range(const std::vector<OrphanRange>& ranges, const std::vector<std::string>& after);

// What a search over all kinds came to.
struct OrphansFound {
  const OrphanKind* kind = nullptr;
  OrphanTable table;
  OrphanSearch search;
  std::string problem;  // why it could not be looked at, "" else
};
struct OrphanSurvey {
  OrphanMoment moment;
  std::vector<OrphansFound> kinds;       // in the order of orphan_kinds()
  std::vector<std::string> absent;       // tables that are not there, though this schema should have them
  std::optional<std::int64_t> events;    // ≈ how many events there are; nullopt: never analysed
};
// Small tables first, each of the larger ones its share of `allowed`; a search that was cut short goes on where it stopped the next
// time. `never`: also what is only shown.
boost::asio::awaitable<core::Result<OrphanSurvey>> survey_orphans(db::Session& read, db::SettingStore& settings, int schema_version,
                                                                  std::chrono::milliseconds allowed, bool never);
// "≥ 42" with "12 % of ≈ 1 200 000 rows looked at", when it was cut short; else "42".
std::string found_text(const OrphansFound& found);

}  // namespace steward::commands
