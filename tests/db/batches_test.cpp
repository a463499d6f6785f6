// Batches on a real PostgreSQL: their size follows their time, locks and lost connections are tried again, a stop ends them between
// two batches, a backup or an old transaction holds them up and is named.
#include <boost/asio/co_spawn.hpp>

#include "async/tasks.hpp"
#include "jobs/batches.hpp"
#include "store_fixture.hpp"

namespace steward::jobs {
namespace {

using boost::asio::awaitable;
using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(BatchSizeTest, HalvesAfterSlowAndDoublesAfterFastBatches) {
  BatchSize size({.start = 1000, .least = 100, .most = 3000, .target = milliseconds(250)});
  size.took(milliseconds(251));
  EXPECT_EQ(size.rows(), 500);
  size.took(milliseconds(250));  // in the range that is aimed at: stays
  size.took(milliseconds(125));
  EXPECT_EQ(size.rows(), 500);
  for (int fast = 0; fast < 5; ++fast) size.took(milliseconds(124));
  EXPECT_EQ(size.rows(), 3000);
  for (int slow = 0; slow < 9; ++slow) size.took(milliseconds(900));
  EXPECT_EQ(size.rows(), 100);
}

class BatchesTest : public db::StoreTest {
 protected:
  void SetUp() override {
    db::StoreTest::SetUp();
    if (IsSkipped()) return;
    database->sql().exec("CREATE TABLE public.rows_to_go (id bigint PRIMARY KEY); INSERT INTO public.rows_to_go SELECT generate_series(1, 1000)");
    db::SessionOptions options;
    options.connection = core::Secret(database->connection());
    options.lock_timeout = milliseconds(200);
    options.name = "work";
    work.emplace(io.get_executor(), options);
    options.name = "control";
    control.emplace(io.get_executor(), options);
    Progress::Hooks hooks;
    hooks.show = [this](const std::string& header, const std::string&) { headers.push_back(header); };
    progress.emplace(io.get_executor(), 1, stores->jobs, std::move(hooks));
  }
  void TearDown() override {
    work.reset();
    control.reset();
    db::StoreTest::TearDown();
  }
  // Deletes the even ids, `cost` per row; batches that hold none of them change nothing.
  Batches::Work deleting(std::string cost = "0") {
    return [cost](db::Transaction& transaction, const std::vector<std::string>& after, std::int64_t size) -> core::Result<Batch> {
      db::Values values(1, after.empty() ? std::string("0") : after.front());
      values.push_back(db::bind(size));
      auto rows = transaction.exec("WITH page AS MATERIALIZED (SELECT id FROM public.rows_to_go WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint), "
                                   "gone AS (DELETE FROM public.rows_to_go x USING page p WHERE x.id = p.id AND x.id % 2 = 0 AND x.id > 500 RETURNING 1) "
                                   "SELECT (SELECT count(*) FROM page) AS scanned, (SELECT count(*) FROM gone) AS gone, (SELECT max(id) FROM page) AS last, "
                                   "pg_sleep((SELECT count(*) FROM page) * " + cost + ")", values);
      if (!rows) return core::fail(rows.error());
      const std::int64_t gone = rows->front().integer("gone");
      return Batch{rows->front().integer("scanned"), gone, {rows->front().text("last")}, {{"rows_to_go", gone}}};
    };
  }
  BatchTotals run(Batches::Options options, Batches::Work step) {
    Batches batches(*work, &*control, *progress, std::move(options));
    auto running = batches.run("rows", std::move(step));
    return test::run(io, std::move(running));
  }
  // Does something on the I/O thread once the text was shown.
  void when_shown(std::string text, std::function<void()> act) {
    auto waiting = [this, text, act]() -> awaitable<void> {
      while (!shown(text)) co_await async::sleep_for(milliseconds(10));
      act();
    };
    boost::asio::co_spawn(io, waiting, [](std::exception_ptr) {});
  }
  bool shown(const std::string& text) const {
    return std::any_of(headers.begin(), headers.end(), [&](const std::string& header) { return header.find(text) != std::string::npos; });
  }

  std::optional<db::Session> work, control;
  std::optional<Progress> progress;
  std::vector<std::string> headers;
};

TEST_F(BatchesTest, GoesToTheEndThoughBatchesChangeNothing) {
  const BatchTotals totals = run({.size = {.start = 50, .least = 50, .most = 50}}, deleting());
  EXPECT_TRUE(totals.ended);
  EXPECT_FALSE(totals.error);
  EXPECT_EQ(totals.scanned, 1000);
  EXPECT_EQ(totals.changed, 250);
  EXPECT_EQ(totals.by_table.at("rows_to_go"), 250);
  EXPECT_EQ(totals.batches, 21);  // the last one finds nothing
  EXPECT_EQ(value("SELECT count(*) FROM public.rows_to_go"), "750");
}

TEST_F(BatchesTest, TheSizeFollowsTheTime) {
  // A millisecond a row, 40 ms wanted: between 20 and 40 rows a batch, whatever it starts with.
  const BatchTotals totals = run({.size = {.start = 400, .least = 5, .most = 1000, .target = milliseconds(40)}}, deleting("0.001"));
  EXPECT_TRUE(totals.ended);
  EXPECT_GE(totals.batches, 12);
  EXPECT_LE(totals.batches, 60);
  EXPECT_GE(totals.longest, milliseconds(400));  // the first; none after the halving is as long
}

TEST_F(BatchesTest, StopsBetweenTwoBatchesAndSaysWhere) {
  int count = 0;
  auto step = deleting();
  Batches::Work stopping = [&](db::Transaction& transaction, const std::vector<std::string>& after, std::int64_t size) {
    if (++count == 3) progress->request_stop(StopReason::cancelled);
    return step(transaction, after, size);
  };
  const BatchTotals totals = run({.size = {.start = 100, .least = 100, .most = 100}}, stopping);
  EXPECT_FALSE(totals.ended);
  EXPECT_FALSE(totals.error);
  EXPECT_EQ(totals.scanned, 300);
  EXPECT_THAT(totals.after, testing::ElementsAre("300"));
}

TEST_F(BatchesTest, ALockThatIsNotGivenIsTriedAgainAndGivenUpAfterFiveTimes) {
  test::PlainConnection other(database->connection());
  other.exec("BEGIN; SELECT FROM public.rows_to_go WHERE id = 600 FOR UPDATE");
  when_shown("in somebody's way", [&] { other.exec("COMMIT"); });
  BatchTotals totals = run({}, deleting());
  EXPECT_TRUE(totals.ended);
  EXPECT_EQ(totals.changed, 250);

  other.exec("INSERT INTO public.rows_to_go VALUES (2000)");
  other.exec("BEGIN; SELECT FROM public.rows_to_go WHERE id = 2000 FOR UPDATE");
  totals = run({}, deleting());
  ASSERT_TRUE(totals.error);
  EXPECT_EQ(totals.error->code, core::Code::timeout);
  EXPECT_EQ(totals.changed, 0);
  other.exec("COMMIT");
}

TEST_F(BatchesTest, ALostConnectionIsNoEnd) {
  int count = 0;
  auto step = deleting();
  Batches::Work breaking = [&](db::Transaction& transaction, const std::vector<std::string>& after, std::int64_t size) -> core::Result<Batch> {
    auto done = step(transaction, after, size);
    if (++count == 2) database->kill_backend(work->backend_pid());
    return done;
  };
  const BatchTotals totals = run({.size = {.start = 100, .least = 100, .most = 100}}, breaking);
  EXPECT_TRUE(totals.ended) << (totals.error ? core::describe(*totals.error) : "");
  EXPECT_EQ(totals.scanned, 1000);
  EXPECT_TRUE(shown("the database is away"));
  EXPECT_EQ(value("SELECT count(*) FROM public.rows_to_go"), "750");
}

TEST_F(BatchesTest, AnErrorThatStaysEndsIt) {
  Batches::Work wrong = [](db::Transaction& transaction, const std::vector<std::string>&, std::int64_t) -> core::Result<Batch> {
    auto rows = transaction.exec("DELETE FROM public.no_such_table");
    return core::fail(rows.error());
  };
  const BatchTotals totals = run({}, wrong);
  ASSERT_TRUE(totals.error);
  EXPECT_EQ(totals.error->code, core::Code::rejected);
  EXPECT_FALSE(totals.ended);
}

TEST_F(BatchesTest, WaitsForABackupAndSaysSo) {
  std::optional<test::PlainConnection> dump;
  dump.emplace(database->connection({{"application_name", "pg_dump"}}));
  when_shown("waits: a pg_dump runs", [&] {
    EXPECT_EQ(value("SELECT count(*) FROM public.rows_to_go"), "1000");
    dump.reset();
  });
  const BatchTotals totals = run({}, deleting());
  EXPECT_TRUE(totals.ended);
  EXPECT_TRUE(shown("waits: a pg_dump runs"));
}

TEST_F(BatchesTest, WaitsForAnOldTransactionAndForWhatTheCallerSays) {
  test::PlainConnection old(database->connection({{"application_name", "a report"}}));
  old.exec("BEGIN; SELECT count(*) FROM public.rows_to_go; SELECT pg_sleep(1.5)");
  when_shown("waits: a transaction of a report", [&] { old.exec("COMMIT"); });
  int asked = 0;
  Batches::Options options;
  options.oldest_transaction = std::chrono::seconds(0);
  options.hold = [&asked]() -> awaitable<std::string> { co_return ++asked == 1 ? "the disk is full" : ""; };
  const BatchTotals totals = run(std::move(options), deleting());
  EXPECT_TRUE(totals.ended);
  EXPECT_TRUE(shown("waits: a transaction of a report"));
  EXPECT_TRUE(shown("waits: the disk is full"));
}

}  // namespace
}  // namespace steward::jobs
