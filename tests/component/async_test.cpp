// Sleeping, waking, task groups and the bridge to a blocking thread.
#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>
#include <vector>

#include "../support/run.hpp"
#include "async/tasks.hpp"
#include "async/work_thread.hpp"

namespace steward::async {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using testing::ElementsAre;

struct Failures {
  std::vector<std::string> names;
  std::function<void(std::string, std::string)> sink() {
    return [this](std::string name, std::string) { names.push_back(std::move(name)); };
  }
};

TEST(Sleep, ReturnsTrueAfterTheTime) {
  const auto start = Clock::now();
  auto sleep = sleep_for(milliseconds(30));
  EXPECT_TRUE(test::run(std::move(sleep)));
  EXPECT_GE(Clock::now() - start, milliseconds(30));
}

TEST(Sleep, TheLongestTimeIsNotThePast) {
  asio::io_context io(1);
  auto sleep = sleep_for(milliseconds::max());
  EXPECT_THROW(test::run(io, std::move(sleep), milliseconds(50)), std::runtime_error);
}

TEST(Signal, RemembersOneNotifyWithoutWaiters) {
  asio::io_context io(1);
  Signal signal(io.get_executor());
  signal.notify();
  signal.notify();
  auto first = signal.wait(milliseconds(10));
  EXPECT_TRUE(test::run(io, std::move(first)));
  auto second = signal.wait(milliseconds(10));
  EXPECT_FALSE(test::run(io, std::move(second)));
}

asio::awaitable<void> wait_and_count(Signal& signal, int& woken) {
  const bool notified = co_await signal.wait(std::chrono::seconds(5));
  if (notified) ++woken;
}

TEST(Signal, WakesAllWaitersOnceEach) {
  asio::io_context io(1);
  Signal signal(io.get_executor());
  int woken = 0;
  for (int i = 0; i < 3; ++i) asio::co_spawn(io, wait_and_count(signal, woken), asio::detached);
  auto pause = sleep_for(milliseconds(5));
  test::run(io, std::move(pause));
  signal.notify();
  auto again = sleep_for(milliseconds(5));
  test::run(io, std::move(again));
  EXPECT_EQ(woken, 3);
  auto late = signal.wait(milliseconds(5));
  EXPECT_FALSE(test::run(io, std::move(late))) << "the waking was remembered although somebody was woken";
}

TEST(Slots, LetInAsManyAsThereAreAndTheNextWhenOneGoes) {
  asio::io_context io(1);
  Failures failures;
  TaskGroup group(io.get_executor(), failures.sink());
  Slots slots(io.get_executor(), 2);
  int inside = 0, most = 0, passed = 0;
  auto child = [&]() -> asio::awaitable<void> {
    const auto slot = co_await slots.take();
    most = std::max(most, ++inside);
    co_await sleep_for(milliseconds(2));
    --inside;
    ++passed;
  };
  for (int i = 0; i < 7; ++i) group.spawn("child", child);
  auto joined = group.join(std::chrono::seconds(2));
  EXPECT_TRUE(test::run(io, std::move(joined)));
  EXPECT_EQ(passed, 7);
  EXPECT_EQ(most, 2);
}

TEST(Slots, WhoIsCancelledWhileHeWaitsGetsNone) {
  asio::io_context io(1);
  Failures failures;
  TaskGroup group(io.get_executor(), failures.sink());
  Slots slots(io.get_executor(), 1);
  auto taking = slots.take();
  const auto held = test::run(io, std::move(taking));
  bool got = true;
  auto child = [&]() -> asio::awaitable<void> {
    const auto slot = co_await slots.take();
    got = slot != nullptr;
  };
  group.spawn("child", child);
  auto pause = sleep_for(milliseconds(2));
  test::run(io, std::move(pause));
  group.cancel_all();
  auto joined = group.join(std::chrono::seconds(2));
  EXPECT_TRUE(test::run(io, std::move(joined)));
  EXPECT_FALSE(got);
}

TEST(TaskGroup, CancelledChildrenSeeItAndEnd) {
  asio::io_context io(1);
  Failures failures;
  TaskGroup group(io.get_executor(), failures.sink());
  std::vector<bool> slept;
  auto child = [&slept]() -> asio::awaitable<void> {
    const bool first = co_await sleep_for(std::chrono::hours(1));
    slept.push_back(first);
    const bool second = co_await sleep_for(std::chrono::hours(1));  // no exception, no second hour
    slept.push_back(second);
  };
  group.spawn("sleeper", child);
  auto pause = sleep_for(milliseconds(5));
  test::run(io, std::move(pause));
  EXPECT_EQ(group.running(), 1U);
  group.cancel_all();
  auto joined = group.join(std::chrono::seconds(2));
  EXPECT_TRUE(test::run(io, std::move(joined)));
  EXPECT_THAT(slept, ElementsAre(false, false));
  EXPECT_TRUE(failures.names.empty());
}

// A job waits for its watcher and a loop may forget to ask: neither may hold up the thread, and the wait must not be cut short.
TEST(TaskGroup, ACancelledChildCanWaitForItsHelper) {
  asio::io_context io(1);
  Signal helper_ended(io.get_executor());
  bool helped = false, waited = false, looped = false;
  auto helper = [&]() -> asio::awaitable<void> {
    co_await sleep_for(milliseconds(20));
    helped = true;
    helper_ended.notify();
  };
  auto child = [&]() -> asio::awaitable<void> {
    while (!helped) co_await helper_ended.wait_regardless(std::chrono::seconds(5));
    waited = true;
  };
  auto forgetful = [&]() -> asio::awaitable<void> {
    while (!helped) co_await sleep_for(milliseconds(1));
    looped = true;
  };
  TaskGroup group(io.get_executor(), {});
  group.spawn("child", child);
  group.spawn("forgetful", forgetful);
  asio::co_spawn(io, helper, asio::detached);
  auto pause = sleep_for(milliseconds(2));
  test::run(io, std::move(pause));
  group.cancel_all();
  auto joined = group.join(std::chrono::seconds(2));
  EXPECT_TRUE(test::run(io, std::move(joined)));
  EXPECT_TRUE(waited && looped);
}

TEST(TaskGroup, AnExceptionIsReportedWithTheName) {
  asio::io_context io(1);
  Failures failures;
  TaskGroup group(io.get_executor(), failures.sink());
  auto child = []() -> asio::awaitable<void> {
    co_await sleep_for(milliseconds(1));
    throw std::runtime_error("broken");
  };
  group.spawn("breaks", child);
  auto joined = group.join(std::chrono::seconds(2));
  EXPECT_TRUE(test::run(io, std::move(joined)));
  EXPECT_THAT(failures.names, ElementsAre("breaks"));
}

TEST(TaskGroup, JoinGivesUpAfterTheGraceTime) {
  asio::io_context io(1);
  TaskGroup group(io.get_executor(), {});
  auto child = []() -> asio::awaitable<void> { co_await sleep_for(std::chrono::hours(1)); };
  group.spawn("stays", child);
  const auto start = Clock::now();
  auto joined = group.join(milliseconds(40));
  EXPECT_FALSE(test::run(io, std::move(joined)));
  EXPECT_GE(Clock::now() - start, milliseconds(40));
}

TEST(OnThread, RunsThereAndResumesHere) {
  asio::io_context io(1);
  WorkThread thread("worker");
  const auto here = std::this_thread::get_id();
  auto task = [&]() -> asio::awaitable<std::string> {
    auto work = [here] { return std::this_thread::get_id() == here ? std::string("here") : std::string("there"); };
    auto operation = on_thread(thread, std::move(work));
    std::string where = co_await std::move(operation);
    EXPECT_EQ(std::this_thread::get_id(), here);
    co_return where;
  };
  auto coroutine = task();
  EXPECT_EQ(test::run(io, std::move(coroutine)), "there");
}

TEST(OnThread, CancellationWaitsForTheWorkAndDeliversItsResult) {
  asio::io_context io(1);
  WorkThread thread("worker");
  asio::cancellation_signal cancellation;
  int result = 0;
  auto task = [&]() -> asio::awaitable<void> {
    auto work = [] {
      std::this_thread::sleep_for(milliseconds(80));
      return 41;
    };
    auto operation = on_thread(thread, std::move(work));
    result = co_await std::move(operation);
    auto more = [] { return 1; };
    auto second = on_thread(thread, std::move(more));
    const int one = co_await std::move(second);
    result += one;
  };
  Failures failures;
  TaskGroup group(io.get_executor(), failures.sink());
  group.spawn("writes", task);
  auto pause = sleep_for(milliseconds(10));
  test::run(io, std::move(pause));
  group.cancel_all();
  EXPECT_EQ(result, 0);
  auto joined = group.join(std::chrono::seconds(2));
  EXPECT_TRUE(test::run(io, std::move(joined)));
  EXPECT_EQ(result, 42);
}

TEST(OnThread, TenThousandHopsKeepTheirOrder) {
  asio::io_context io(1);
  WorkThread thread("worker");
  auto task = [&]() -> asio::awaitable<int> {
    int sum = 0;
    for (int i = 0; i < 10000; ++i) {
      auto work = [i] { return i % 7; };
      auto operation = on_thread(thread, std::move(work));
      const int value = co_await std::move(operation);
      if (value == i % 7) ++sum;
    }
    co_return sum;
  };
  auto coroutine = task();
  EXPECT_EQ(test::run(io, std::move(coroutine)), 10000);
}

}  // namespace
}  // namespace steward::async
