// Many short transactions instead of a long one: each sized towards a quarter of a second, paced by load, repeated when its lock is
// not given or the connection breaks, held up while a backup runs, a replica lags or somebody's transaction is old. For every
// command that changes many rows by SQL. I/O thread; the batches run on the work session's thread, whose writer lock pins the
// connection (guard.hpp), so that no batch runs without it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"
#include "jobs/progress.hpp"

namespace steward::jobs {

// How many rows the next batch takes: doubled after a batch under half of `target`, halved after one over it.
class BatchSize {
 public:
  struct Limits {
    std::int64_t start = 1000, least = 20, most = 50'000;
    std::chrono::milliseconds target = std::chrono::milliseconds(250);
  };
  explicit BatchSize(Limits limits) : limits_(limits), rows_(limits.start) {}
  std::int64_t rows() const { return rows_; }
  void took(std::chrono::milliseconds duration);
  void halve();

 private:
  Limits limits_;
  std::int64_t rows_;
};

// What one batch did.
struct Batch {
  std::int64_t scanned = 0;        // 0 ends the run; a batch that looked at rows and changed none of them does not
  std::int64_t changed = 0;
  std::vector<std::string> after = {};  // the caller's own key, with which the next batch begins
  std::map<std::string, std::int64_t> by_table = {};  // changed rows for the receipt, where it is more than one table
};

struct BatchTotals {
  std::int64_t scanned = 0, changed = 0, batches = 0;
  std::chrono::milliseconds longest{};
  std::map<std::string, std::int64_t> by_table;
  std::vector<std::string> after;      // where it stands
  bool ended = false;                  // nothing is left; false: stopped, or `error`
  std::optional<core::Error> error;    // what was changed before it stays changed and counted
};

class Batches {
 public:
  struct Options {
    BatchSize::Limits size;
    std::chrono::seconds oldest_transaction = std::chrono::seconds(60);
    std::chrono::seconds replication_lag = std::chrono::seconds(30);
    std::chrono::seconds outage = std::chrono::minutes(10);
    // Another reason to wait ("the disk has 2 GB left"), "" for none; asked together with the load.
    std::function<boost::asio::awaitable<std::string>()> hold = {};
  };
  // `watch` is asked for the load between batches (the control session); nullptr: nobody looks.
  Batches(db::Session& work, db::Session* watch, Progress& progress, Options options);

  // Runs on the session's thread in a transaction of its own. Must be repeatable with the same `after`: a batch whose commit is
  // in doubt runs again. `size` rows at most.
  using Work = std::function<core::Result<Batch>(db::Transaction&, const std::vector<std::string>& after, std::int64_t size)>;
  // Until a batch scans nothing, or the job is asked to stop, or an error that trying again does not mend. `doing` stands in the live
  // message ("event_search"), with what was done so far. `after`: where to begin, empty for the start.
  boost::asio::awaitable<BatchTotals> run(std::string doing, Work work, std::vector<std::string> after = {});

 private:
  boost::asio::awaitable<core::Result<Batch>> try_batch(std::string doing, const Work& work, const std::vector<std::string>& after);
  boost::asio::awaitable<void> wait_for_calm(std::string doing);

  db::Session& work_;
  db::Session* watch_;
  Progress& progress_;
  Options options_;
  BatchSize size_;
  std::chrono::steady_clock::time_point looked_;
  bool looked_once_ = false;
  int pause_quarters_ = 8;  // of the time of a batch
};

}  // namespace steward::jobs
