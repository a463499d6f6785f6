// What a schedule may keep as its command, and when a run of it is within its cap.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command/request.hpp"
#include "command/schedule_cap.hpp"
#include "commands/all.hpp"

namespace steward::commands {
namespace {

using ::testing::HasSubstr;

class ScheduledLine : public testing::Test {
 protected:
  ScheduledLine() : table(all_commands()) {
    options.server_name = "hs.test";
    services.table = &table;
    services.options = &options;
  }
  std::string read(const std::string& line) {
    const auto request = command::read_scheduled(line, services);
    return request ? request->parsed.line : "refused: " + core::describe(request.error());
  }
  command::Table table;
  command::Options options;
  command::Services services;
};

TEST_F(ScheduledLine, KeepsTheCanonicalCommand) {
  EXPECT_EQ(read("purge-media 30d"), "purge-media 30d");
  EXPECT_EQ(read("!pm 30 d --yes"), "purge-media 30d");
  EXPECT_EQ(read("clean-rooms --keep #lobby:hs.test --dry-run"), "clean-rooms --keep #lobby:hs.test --dry-run");
  // The two that the bot makes by itself.
  EXPECT_EQ(read("report daily"), "report daily");
  EXPECT_EQ(read("report weekly"), "report weekly");
  EXPECT_EQ(read("purge-user-media @ann 30d"), "purge-user-media @ann:hs.test 30d");
}

TEST_F(ScheduledLine, RefusesWhatIsForAPersonAtThatMoment) {
  for (const std::string line : {"freeze", "thaw", "yes 41", "cancel 3", "retry 3", "resume 3", "settings time-zone UTC", "allow @ann reader",
                                 "schedule add \"daily 03:00\" status", "schedule run 3", "schedules"})
    EXPECT_THAT(read(line), HasSubstr("cannot be scheduled")) << line;
  for (const std::string line : {"room r3", "purge-user-media this", "purge-user-media u2 30d", "clean-rooms --keep r1"})
    EXPECT_THAT(read(line), HasSubstr("only now")) << line;
  EXPECT_THAT(read("purge-meda 30d"), HasSubstr("purge-media"));
  EXPECT_THAT(read(""), HasSubstr("refused"));
}

TEST_F(ScheduledLine, AsksAboveTheCap) {
  jobs::Plan confirmed;
  confirmed.level = 3;
  confirmed.items.resize(2);
  confirmed.rows = 10;
  confirmed.bytes = core::Bytes{100};
  db::ScheduleRow schedule;
  schedule.number = 7;
  schedule.confirmed_by = core::UserId("@ann:hs.test");
  command::set_cap(schedule, confirmed);

  const auto waits = [&](std::size_t items, std::int64_t rows, std::int64_t bytes, int level) {
    jobs::Plan plan;
    plan.level = level;
    plan.items.resize(items);
    plan.rows = rows;
    plan.bytes = core::Bytes{bytes};
    command::keep_to_cap(plan, schedule);
    EXPECT_EQ(plan.parameters["schedule"], "7");
    EXPECT_NE(plan.confirmed_by.empty(), plan.lines.empty());
    return plan.confirmed_by.empty();
  };
  EXPECT_FALSE(waits(4, 20, 200, 3));
  EXPECT_TRUE(waits(5, 20, 200, 3));
  EXPECT_TRUE(waits(4, 21, 200, 3));
  EXPECT_TRUE(waits(4, 20, 201, 3));
  EXPECT_TRUE(waits(1, 1, 1, 4)) << "the share of the whole made it more dangerous";
}

}  // namespace
}  // namespace steward::commands
