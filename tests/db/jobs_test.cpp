// The journal's promises on a real PostgreSQL: each item acted on once, stops between items, what a crash left is settled first.
#include <algorithm>

#include "async/tasks.hpp"
#include "jobs/progress.hpp"
#include "jobs/runner.hpp"
#include "store_fixture.hpp"

namespace steward::jobs {
namespace {

using boost::asio::awaitable;

class JobsTest : public db::StoreTest {
 protected:
  std::int64_t job_with(int items, std::string state = "queued") {
    db::JobRow row;
    row.command = "clean-rooms";
    row.line = "clean-rooms";
    row.asker = core::UserId("@ann:hs.test");
    row.origin = "room";
    row.level = 4;
    row.state = std::move(state);
    Plan plan;
    plan.command = "clean-rooms";
    plan.locks = {"room:!a"};
    row.plan = encode_plan(plan);
    std::vector<db::ItemRow> rows;
    for (int index = 0; index < items; ++index) {
      db::ItemRow item;
      item.position = index;
      item.kind = "room";
      item.target = "!room" + std::to_string(index);
      item.state = "planned";
      rows.push_back(std::move(item));
    }
    return get(stores->jobs.create(std::move(row), std::move(rows), std::chrono::minutes(10)));
  }

  Progress::Act counting(ItemOutcome::State state = ItemOutcome::State::done) {
    return [this, state](db::ItemRow item) -> awaitable<ItemOutcome> {
      acted.push_back(item.target);
      ++now;
      most = std::max(most, now);
      co_await async::sleep_for(std::chrono::milliseconds(5));
      --now;
      ItemOutcome outcome;
      outcome.state = state;
      outcome.rows = 2;
      co_return outcome;
    };
  }

  Runner::Hooks hooks_that_run(Progress::Act act) {
    Runner::Hooks hooks;
    hooks.run = [act](db::JobRow, Plan, Progress& progress) -> awaitable<core::Result<Receipt>> {
      auto totals = co_await progress.for_each_item("rooms", 1, act, act);
      if (!totals) co_return core::fail(totals.error());
      Receipt receipt;
      receipt.title = "ran";
      co_return receipt;
    };
    hooks.ended = [this](db::JobRow job, Plan, Receipt) -> awaitable<void> {
      ended.push_back(job.state + "/" + job.reason);
      // A kill right here must leave a job that is taken up again, or its receipt could be lost.
      journal_at_end.push_back(value("SELECT state FROM job WHERE number = " + std::to_string(job.number)));
      co_return;
    };
    return hooks;
  }

  // Runs the runner until `count` jobs ended.
  void run_until_ended(Runner& runner, std::size_t count) {
    auto waiting = [this, &runner, count]() -> awaitable<void> {
      for (int step = 0; step < 2000 && ended.size() < count; ++step) co_await async::sleep_for(std::chrono::milliseconds(5));
      runner.stop();
    };
    auto running = runner.run();
    boost::asio::co_spawn(io, waiting, [](std::exception_ptr) {});
    test::run(io, std::move(running));
  }

  std::vector<std::string> acted, ended, journal_at_end;
  int now = 0, most = 0;
};

TEST_F(JobsTest, ActsOnEachItemOnceAndKeepsWithinInFlight) {
  const std::int64_t job = job_with(50);
  Progress progress(io.get_executor(), job, stores->jobs, Progress::Hooks());
  auto totals = get(progress.for_each_item("rooms", 3, counting(), counting()));
  EXPECT_EQ(totals.done, 50);
  EXPECT_EQ(totals.done_rows, 100);
  EXPECT_EQ(totals.planned, 0);
  EXPECT_EQ(most, 3);
  std::sort(acted.begin(), acted.end());
  EXPECT_EQ(std::unique(acted.begin(), acted.end()), acted.end());
}

TEST_F(JobsTest, AnItemIsActingInTheJournalBeforeItsAct) {
  const std::int64_t job = job_with(1);
  Progress progress(io.get_executor(), job, stores->jobs, Progress::Hooks());
  Progress::Act look = [this](db::ItemRow) -> awaitable<ItemOutcome> {
    EXPECT_EQ(value("SELECT state FROM job_item"), "acting");
    co_return ItemOutcome();
  };
  get(progress.for_each_item("rooms", 1, look, look));
  EXPECT_EQ(value("SELECT state FROM job_item"), "done");
}

TEST_F(JobsTest, WhatWasUnderWayIsSettledAndNotActedOn) {
  const std::int64_t job = job_with(3);
  get(stores->jobs.item_acting(job, 1));
  Progress progress(io.get_executor(), job, stores->jobs, Progress::Hooks());
  std::vector<std::string> settled;
  Progress::Act settle = [&settled](db::ItemRow item) -> awaitable<ItemOutcome> {
    settled.push_back(item.target);
    co_return ItemOutcome();
  };
  auto totals = get(progress.for_each_item("rooms", 2, counting(), settle));
  EXPECT_THAT(settled, testing::ElementsAre("!room1"));
  EXPECT_THAT(acted, testing::UnorderedElementsAre("!room0", "!room2"));
  EXPECT_EQ(totals.done, 3);
}

TEST_F(JobsTest, AnItemGivenBackBySettlingIsActedOnAgain) {
  const std::int64_t job = job_with(1);
  get(stores->jobs.item_acting(job, 0));
  Progress progress(io.get_executor(), job, stores->jobs, Progress::Hooks());
  auto totals = get(progress.for_each_item("rooms", 1, counting(), counting(ItemOutcome::State::given_back)));
  EXPECT_EQ(totals.done, 1);
  EXPECT_EQ(acted.size(), 2U);  // once settled, once acted on
}

TEST_F(JobsTest, StopsBetweenItemsAndLeavesTheRestPlanned) {
  const std::int64_t job = job_with(20);
  Progress progress(io.get_executor(), job, stores->jobs, Progress::Hooks());
  Progress::Act act = [this, &progress](db::ItemRow item) -> awaitable<ItemOutcome> {
    acted.push_back(item.target);
    if (acted.size() == 5) progress.request_stop(StopReason::cancelled);
    co_return ItemOutcome();
  };
  auto totals = get(progress.for_each_item("rooms", 1, act, act));
  EXPECT_EQ(totals.done, 5);
  EXPECT_EQ(totals.planned, 15);
}

TEST_F(JobsTest, ItemsThatAreAlwaysGivenBackDoNotLoop) {
  const std::int64_t job = job_with(3);
  Progress progress(io.get_executor(), job, stores->jobs, Progress::Hooks());
  auto totals = get(progress.for_each_item("rooms", 1, counting(ItemOutcome::State::given_back), counting()));
  EXPECT_EQ(totals.planned, 3);
  EXPECT_EQ(acted.size(), 3U);
}

TEST_F(JobsTest, TheRunnerTakesQueuedJobsOldestFirst) {
  job_with(1);
  job_with(2);
  Runner runner(io.get_executor(), stores->jobs, hooks_that_run(counting()));
  run_until_ended(runner, 2);
  EXPECT_THAT(ended, testing::ElementsAre("done/", "done/"));
  EXPECT_THAT(journal_at_end, testing::Each("running")) << "the receipt comes before the journal's end";
  EXPECT_EQ(acted.size(), 3U);
}

TEST_F(JobsTest, AFrozenRunnerRunsNothing) {
  job_with(1);
  Runner runner(io.get_executor(), stores->jobs, hooks_that_run(counting()));
  get(runner.freeze());
  auto stopping = [&runner]() -> awaitable<void> {
    co_await async::sleep_for(std::chrono::milliseconds(200));
    runner.stop();
  };
  boost::asio::co_spawn(io, stopping, [](std::exception_ptr) {});
  auto running = runner.run();
  test::run(io, std::move(running));
  EXPECT_TRUE(acted.empty());
  EXPECT_EQ(value("SELECT state FROM job"), "queued");
}

TEST_F(JobsTest, CancelStopsTheRunningJobAndKeepsWhatIsLeft) {
  const std::int64_t number = job_with(200);
  Runner runner(io.get_executor(), stores->jobs, hooks_that_run(counting()));
  auto cancelling = [this, &runner, number]() -> awaitable<void> {
    while (acted.size() < 5) co_await async::sleep_for(std::chrono::milliseconds(2));
    auto said = co_await runner.cancel(number);
    EXPECT_TRUE(said);
  };
  boost::asio::co_spawn(io, cancelling, [](std::exception_ptr) {});
  run_until_ended(runner, 1);
  EXPECT_THAT(ended, testing::ElementsAre("stopped/cancelled"));
  EXPECT_GT(std::stoi(value("SELECT count(*) FROM job_item WHERE state = 'planned'")), 100);
  EXPECT_EQ(value("SELECT count(*) FROM job_item WHERE state = 'acting'"), "0");
}

TEST_F(JobsTest, RecoveryQueuesAFreshJobAndStopsAnOldOne) {
  const std::int64_t fresh = job_with(1, "running");
  const std::int64_t old = job_with(1, "running");
  get(stores->jobs.heartbeat(fresh));
  database->sql().exec("UPDATE steward.job SET heartbeat_at = now() - interval '11 minutes' WHERE number = " + std::to_string(old));
  Runner runner(io.get_executor(), stores->jobs, hooks_that_run(counting()));
  auto resumed = get(runner.recover(/*restored=*/false));
  ASSERT_EQ(resumed.size(), 1U);
  EXPECT_EQ(resumed.front().number, fresh);
  EXPECT_EQ(value("SELECT state || '/' || reason FROM job WHERE number = " + std::to_string(old)), "stopped/interrupted");
}

TEST_F(JobsTest, AfterARestoredBackupNothingGoesOnByItself) {
  const std::int64_t running = job_with(1, "running");
  job_with(1, "queued");
  get(stores->jobs.heartbeat(running));
  Runner runner(io.get_executor(), stores->jobs, hooks_that_run(counting()));
  auto resumed = get(runner.recover(/*restored=*/true));
  EXPECT_TRUE(resumed.empty());
  EXPECT_EQ(value("SELECT count(*) FROM job WHERE state = 'stopped' AND reason = 'interrupted'"), "2");
}

TEST_F(JobsTest, APlanOfAnUnknownVersionIsInterruptedNotGuessed) {
  const std::int64_t number = job_with(1);
  database->sql().exec("UPDATE steward.job SET plan = replace(plan, '\"version\":1', '\"version\":99') WHERE number = " + std::to_string(number));
  Runner runner(io.get_executor(), stores->jobs, hooks_that_run(counting()));
  run_until_ended(runner, 1);
  EXPECT_TRUE(acted.empty());
  EXPECT_EQ(value("SELECT state || '/' || reason FROM job"), "stopped/interrupted");
}

TEST(Plan, RoundTripsThroughItsJson) {
  Plan plan;
  plan.command = "purge-media";
  plan.title = "3 files";
  plan.level = 4;
  plan.lines = {"Bytes: 3"};
  plan.kept = {Kept{"avatar", "avatars", 2, core::Bytes{7}, {"a"}}};
  plan.bytes = core::Bytes{9007199254740993};  // above 2^53
  plan.word = "3";
  plan.second_admin = true;
  plan.parameters = {{"before_ms", "1"}};
  auto read = decode_plan(encode_plan(plan));
  ASSERT_TRUE(read);
  EXPECT_EQ(encode_plan(*read), encode_plan(plan));
  EXPECT_EQ(read->bytes.count, 9007199254740993);
  for (const char* broken : {"", "{}", "[]", "{\"version\":\"1\"}", "{\"version\":1}", "nonsense"}) EXPECT_FALSE(decode_plan(broken)) << broken;
}

}  // namespace
}  // namespace steward::jobs
