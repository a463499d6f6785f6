// Jobs, their items and log: the journal that lets a killed bot go on.
#include "store_fixture.hpp"

namespace steward::db {
namespace {

using core::Code;
using core::EventId;
using core::UserId;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

JobRow job(const std::string& event) {
  JobRow row;
  row.command_event = EventId(event);
  row.command = "clean-rooms";
  row.line = "!clean-rooms";
  row.asker = UserId("@a:hs.test");
  row.origin = "room";
  row.level = 4;
  row.plan = R"({"version":1})";
  return row;
}

std::vector<ItemRow> items(int count) {
  std::vector<ItemRow> rows;
  for (int i = 1; i <= count; ++i) {
    ItemRow row;
    row.position = i;
    row.kind = "room";
    row.target = "!r" + std::to_string(i);
    row.label = "name, {\"odd\"} \\" + std::to_string(i);
    row.bytes = i;
    row.rows = 10 * i;
    row.note = R"({"a":"b"})";
    rows.push_back(row);
  }
  return rows;
}

class JobTest : public StoreTest {
 protected:
  std::int64_t create(const std::string& event, int count = 0, seconds expires = seconds(600)) {
    return get(stores->jobs.create(job(event), items(count), expires));
  }
  JobRow read(std::int64_t number) { return get(stores->jobs.find(number)).value(); }
};

TEST_F(JobTest, ACommandEventGetsOneJob) {
  const auto number = create("$c", 3);
  EXPECT_EQ(number, 1);
  const core::Error again = error(stores->jobs.create(job("$c"), items(1), seconds(600)));
  EXPECT_EQ(again.code, Code::conflict);
  EXPECT_EQ(again.source, "1");
  EXPECT_EQ(create("$d"), 2) << "a refused job takes no number";
  EXPECT_EQ(create(""), 3);
  EXPECT_EQ(create(""), 4) << "terminal and schedules have no event";
  const JobRow found = get(stores->jobs.find_by_command_event(EventId("$c"))).value();
  EXPECT_EQ(found.number, 1);
  EXPECT_EQ(found.state, "waiting");
  EXPECT_EQ(found.plan, R"({"version":1})");
  EXPECT_EQ(found.asker.str(), "@a:hs.test");
  EXPECT_EQ(found.level, 4);
  EXPECT_LE(found.expires_in, seconds(600));
  EXPECT_GE(found.expires_in, seconds(590));
  EXPECT_EQ(found.started_ago, seconds(-1));
  EXPECT_FALSE(get(stores->jobs.find_by_command_event(EventId(""))));
  EXPECT_FALSE(get(stores->jobs.find(99)));
}

TEST_F(JobTest, AConfirmationCountsOnce) {
  const auto number = create("$c");
  const auto other = create("$d");
  EXPECT_TRUE(get(stores->jobs.confirm(number, UserId("@b:hs.test"), EventId("$yes"))));
  EXPECT_FALSE(get(stores->jobs.confirm(number, UserId("@b:hs.test"), EventId("$yes2")))) << "a double tap";
  EXPECT_FALSE(get(stores->jobs.confirm(other, UserId("@b:hs.test"), EventId("$yes")))) << "one event, one plan";
  EXPECT_EQ(read(number).state, "queued");
  EXPECT_EQ(read(number).confirmed_by.str(), "@b:hs.test");
  EXPECT_EQ(read(other).state, "waiting");
  EXPECT_TRUE(get(stores->jobs.confirm(other, UserId("@b:hs.test"), EventId("")))) << "from the terminal";
}

TEST_F(JobTest, AnExpiredPlanCannotBeConfirmed) {
  const auto number = create("$c");
  const auto fresh = create("$d");
  database->sql().exec("UPDATE job SET expires_at = now() - interval '1 second' WHERE number = " + std::to_string(number));
  EXPECT_LT(read(number).expires_in, seconds(0));
  EXPECT_FALSE(get(stores->jobs.confirm(number, UserId("@a:hs.test"), EventId("$yes"))));
  auto expired = get(stores->jobs.expire_waiting());
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].number, number);
  EXPECT_EQ(expired[0].state, "void");
  EXPECT_EQ(expired[0].reason, "expired");
  EXPECT_THAT(get(stores->jobs.expire_waiting()), IsEmpty());
  EXPECT_EQ(read(fresh).state, "waiting");
  EXPECT_EQ(read(create("$e", 0, seconds(0))).expires_in, seconds(0)) << "no expiry asked for";
}

TEST_F(JobTest, MovesOnlyFromTheStatesNamed) {
  const auto number = create("$c");
  EXPECT_FALSE(get(stores->jobs.move(number, {"queued"}, "running", "")));
  EXPECT_TRUE(get(stores->jobs.move(number, {"waiting", "queued"}, "queued", "")));
  EXPECT_TRUE(get(stores->jobs.move(number, {"queued"}, "running", "")));
  JobRow running = read(number);
  EXPECT_GE(running.started_ago, seconds(0));
  EXPECT_GE(running.heartbeat_ago, seconds(0));
  EXPECT_EQ(running.finished_ago, seconds(-1));
  database->sql().exec("UPDATE job SET heartbeat_at = now() - interval '20 minutes'");
  EXPECT_GE(read(number).heartbeat_ago, seconds(1200));
  get(stores->jobs.heartbeat(number));
  EXPECT_LT(read(number).heartbeat_ago, seconds(60));
  EXPECT_TRUE(get(stores->jobs.move(number, {"running"}, "stopped", "paused")));
  EXPECT_GE(read(number).finished_ago, seconds(0));
  EXPECT_TRUE(get(stores->jobs.move(number, {"stopped"}, "running", "")));
  EXPECT_EQ(read(number).finished_ago, seconds(-1));
  get(stores->jobs.finish(number, "done", "", R"({"rooms":3})"));
  EXPECT_EQ(read(number).state, "done");
  EXPECT_EQ(read(number).receipt, R"({"rooms":3})");
  EXPECT_FALSE(get(stores->jobs.move(number, {"waiting", "queued", "running", "stopped"}, "running", "")));
}

TEST_F(JobTest, ListsByStateAndByAge) {
  for (const char* event : {"$1", "$2", "$3"}) create(event);
  get(stores->jobs.move(2, {"waiting"}, "void", "declined"));
  auto numbers = [](const std::vector<JobRow>& rows) {
    std::string text;
    for (const JobRow& row : rows) text += std::to_string(row.number) + " ";
    return text;
  };
  EXPECT_EQ(numbers(get(stores->jobs.in_state({"waiting"}, 10))), "1 3 ");
  EXPECT_EQ(numbers(get(stores->jobs.in_state({"waiting", "void"}, 2))), "1 2 ");
  EXPECT_EQ(numbers(get(stores->jobs.recent(2))), "3 2 ");
}

TEST_F(JobTest, NumbersGoOnAboveWhatPeopleHaveSeen) {
  EXPECT_EQ(get(stores->jobs.last_number()), 0);
  create("$1");
  EXPECT_EQ(get(stores->jobs.last_number()), 1);
  get(stores->jobs.continue_numbers_above(41));
  EXPECT_EQ(get(stores->jobs.last_number()), 41);
  EXPECT_EQ(create("$2"), 42);
  get(stores->jobs.continue_numbers_above(10));
  EXPECT_EQ(create("$3"), 43) << "never back";
}

TEST_F(JobTest, TheJournalOfItems) {
  const auto number = create("$c", 4);
  auto all = get(stores->jobs.items(number, {}, 0));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[2].target, "!r3");
  EXPECT_EQ(all[2].label, "name, {\"odd\"} \\3");
  EXPECT_EQ(all[2].rows, 30);
  EXPECT_EQ(all[2].state, "planned");
  get(stores->jobs.item_acting(number, 1));
  get(stores->jobs.item_finished(number, 1, "done", "", 100, 1000));
  get(stores->jobs.item_acting(number, 2));
  get(stores->jobs.item_finished(number, 2, "kept", "somebody joined", 0, 0));
  get(stores->jobs.item_acting(number, 3));
  EXPECT_EQ(error(stores->jobs.item_acting(number, 1)).code, Code::conflict) << "done is done";
  EXPECT_EQ(error(stores->jobs.item_finished(number, 2, "done", "", 1, 1)).code, Code::conflict);
  EXPECT_EQ(error(stores->jobs.item_acting(number, 77)).code, Code::conflict);
  const ItemTotals totals = get(stores->jobs.totals(number));
  EXPECT_EQ(totals.planned, 1);
  EXPECT_EQ(totals.acting, 1);
  EXPECT_EQ(totals.done, 1);
  EXPECT_EQ(totals.kept, 1);
  EXPECT_EQ(totals.done_bytes, 100);
  EXPECT_EQ(totals.done_rows, 1000);
  auto open = get(stores->jobs.items(number, {"planned", "acting"}, 1));
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].position, 3);
  get(stores->jobs.item_finished(number, 3, "planned", "given back", 0, 0));
  EXPECT_EQ(get(stores->jobs.totals(number)).planned, 2);
  EXPECT_EQ(get(stores->jobs.totals(create("$empty"))).done_bytes, 0);
}

TEST_F(JobTest, ManyItemsInOneCommit) {
  const auto number = create("$c", 12001);
  EXPECT_EQ(get(stores->jobs.totals(number)).planned, 12001);
  EXPECT_EQ(get(stores->jobs.items(number, {"planned"}, 0)).back().target, "!r12001");
  std::vector<ItemRow> doubled = items(2);
  doubled[1].position = 1;
  EXPECT_EQ(error(stores->jobs.create(job("$d"), doubled, seconds(600))).source, "23505");
  EXPECT_FALSE(get(stores->jobs.find_by_command_event(EventId("$d")))) << "no job without its items";
}

TEST_F(JobTest, LogLinesCarryTheirTime) {
  const auto number = create("$c", 1);
  get(stores->jobs.log(number, "first"));
  get(stores->jobs.log(number, "second"));
  get(stores->jobs.item_acting(number, 1));
  get(stores->jobs.item_finished(number, 1, "done", "", 0, 0, "third"));
  EXPECT_EQ(error(stores->jobs.item_finished(number, 1, "done", "", 0, 0, "never")).code, Code::conflict);
  EXPECT_THAT(get(stores->jobs.log_lines(number)),
              ElementsAre(testing::MatchesRegex("....-..-..T..:..:..Z first"), testing::MatchesRegex("....-..-..T..:..:..Z second"),
                          testing::MatchesRegex("....-..-..T..:..:..Z third")));
}

TEST_F(JobTest, ForgetsItemsOfOldJobsThatEnded) {
  const auto old = create("$old", 2), open = create("$open", 2), fresh = create("$fresh", 2);
  for (const auto number : {old, open, fresh}) get(stores->jobs.log(number, "x"));
  get(stores->jobs.finish(old, "done", "", "{}"));
  get(stores->jobs.finish(fresh, "done", "", "{}"));
  database->sql().exec("UPDATE job SET finished_at = now() - interval '100 days' WHERE number = " + std::to_string(old));
  get(stores->jobs.forget_items_older_than(std::chrono::hours(24 * 90)));
  EXPECT_EQ(value("SELECT string_agg(DISTINCT job::text, ' ' ORDER BY job::text) FROM job_item"), "2 3");
  EXPECT_EQ(value("SELECT string_agg(DISTINCT job::text, ' ' ORDER BY job::text) FROM job_log"), "2 3");
  EXPECT_EQ(read(old).state, "done") << "the job itself stays";
}

}  // namespace
}  // namespace steward::db
