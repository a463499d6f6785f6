// Programs as steps: exact arguments, only the given environment, lines, stopping, a limit, what is left behind.
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <fstream>

#include "../support/run.hpp"
#include "async/subprocess.hpp"

namespace steward::async {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using Clock = std::chrono::steady_clock;

class SubprocessTest : public testing::Test {
 protected:
  core::Result<SubprocessEnd> run(Subprocess subprocess) {
    subprocess.on_line = [this](std::string line) { lines.push_back(std::move(line)); };
    auto running = async::run(io.get_executor(), std::move(subprocess));
    return test::run(io, std::move(running));
  }
  static Subprocess program(std::string path, std::vector<std::string> arguments) {
    Subprocess subprocess;
    subprocess.program = std::move(path);
    subprocess.arguments = std::move(arguments);
    return subprocess;
  }
  boost::asio::io_context io{1};
  std::vector<std::string> lines;
};

TEST_F(SubprocessTest, ArgumentsArriveAsTheyAre) {
  const auto end = run(program("/usr/bin/printf", {"%s\n", "a b", "$HOME; `id` *", "", "'\"\\"}));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 0);
  EXPECT_THAT(lines, ElementsAre("a b", "$HOME; `id` *", "'\"\\"));
}

TEST_F(SubprocessTest, ItReadsItsInputToTheEnd) {
  Subprocess cat = program("/bin/cat", {});
  cat.input = "one\ntwo\n" + std::string(50'000, ' ') + "\nend";
  ASSERT_TRUE(run(std::move(cat)));
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines.front(), "one");
  EXPECT_EQ(lines.back(), "end");
  Subprocess nothing = program("/bin/cat", {});
  lines.clear();
  ASSERT_TRUE(run(std::move(nothing)));
  EXPECT_TRUE(lines.empty());
}

TEST_F(SubprocessTest, MoreInputThanAPipeHoldsIsRefused) {
  Subprocess cat = program("/bin/cat", {});
  cat.input = std::string(1 << 20, 'x');
  const auto end = run(std::move(cat));
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, core::Code::not_allowed);
}

TEST_F(SubprocessTest, OnlyTheGivenEnvironment) {
  setenv("STEWARD_TEST_HIDDEN", "secret", 1);
  Subprocess env = program("/usr/bin/env", {});
  env.environment = {{"PGPASSWORD", "a=b c"}};
  ASSERT_TRUE(run(std::move(env)));
  EXPECT_THAT(lines, ElementsAre("PGPASSWORD=a=b c"));
  unsetenv("STEWARD_TEST_HIDDEN");
}

TEST_F(SubprocessTest, NothingOfOursIsOpenInIt) {
  std::ifstream ours("/etc/hosts");
  boost::asio::io_context other;
  ASSERT_TRUE(run(program("/bin/ls", {"/proc/self/fd"})));
  EXPECT_THAT(lines, ElementsAre("0", "1", "2", "3")) << "the last is the folder itself";
}

TEST_F(SubprocessTest, ExitCodesAndMissingPrograms) {
  const auto failed = run(program("/bin/false", {}));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->exit_code, 1);
  const auto missing = run(program("/nowhere/pg_repack", {}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, core::Code::not_found);
  const auto no_program = run(program("/etc/hosts", {}));
  ASSERT_FALSE(no_program);
  EXPECT_EQ(no_program.error().code, core::Code::not_allowed);
}

TEST_F(SubprocessTest, StopsAtOnceAndAfterItsTime) {
  const auto start = Clock::now();
  Subprocess stopped = program("/bin/sleep", {"60"});
  stopped.stop = [] { return true; };
  const auto end = run(std::move(stopped));
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->stopped);
  EXPECT_EQ(end->exit_code, -1);
  Subprocess late = program("/bin/sleep", {"60"});
  late.limit = milliseconds(100);
  const auto over = run(std::move(late));
  ASSERT_TRUE(over);
  EXPECT_TRUE(over->timed_out);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(5));
}

TEST_F(SubprocessTest, WhatDoesNotListenIsKilled) {
  Subprocess deaf = program("/usr/bin/env", {"--ignore-signal=INT", "/bin/sleep", "60"});
  const auto start = Clock::now();
  deaf.stop = [start] { return Clock::now() - start > milliseconds(300); };
  deaf.grace = milliseconds(200);
  const auto end = run(std::move(deaf));
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->stopped);
  EXPECT_EQ(end->exit_code, -1);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(5));
}

TEST_F(SubprocessTest, LongLinesAreCutAndTheLastNeedsNoEnd) {
  ASSERT_TRUE(run(program("/usr/bin/printf", {"%09999d\nend", "1"})));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].size(), 4096U);
  EXPECT_EQ(lines[1], "end");
}

}  // namespace
}  // namespace steward::async
