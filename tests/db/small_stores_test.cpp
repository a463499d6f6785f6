// Audit chain, roles, settings, handles, uploads, table sizes.
#include "db/growth_store.hpp"
#include "store_fixture.hpp"

namespace steward::db {
namespace {

using core::UserId;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

AuditRow audit(const std::string& actor, const std::string& line) {
  AuditRow row;
  row.actor = actor;
  row.role = "admin";
  row.event_id = "$e";
  row.line = line;
  row.outcome = "done";
  row.job = 7;
  return row;
}

class AuditTest : public StoreTest {
 protected:
  void fill(int count) {
    for (int i = 0; i < count; ++i) get(stores->audit.add(audit(i % 2 ? "@a:hs" : "@b:hs", "!line " + std::to_string(i))));
  }
};

TEST_F(AuditTest, ListsNewestFirst) {
  fill(4);
  auto all = get(stores->audit.list(std::nullopt, std::chrono::hours(1), 10));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].line, "!line 3");
  EXPECT_THAT(all[0].at, testing::MatchesRegex("....-..-..T..:..:...*Z"));
  EXPECT_EQ(all[0].job, 7);
  EXPECT_EQ(get(stores->audit.list("@a:hs", std::chrono::hours(1), 10)).size(), 2u);
  EXPECT_EQ(get(stores->audit.list(std::nullopt, std::chrono::hours(1), 1)).size(), 1u);
  database->sql().exec("UPDATE audit SET at = now() - interval '3 hours' WHERE id < 3");
  EXPECT_EQ(get(stores->audit.list(std::nullopt, std::chrono::hours(1), 10)).size(), 2u);
}

TEST_F(AuditTest, AChangedRowBreaksTheChain) {
  EXPECT_FALSE(get(stores->audit.first_broken()));
  fill(5);
  EXPECT_FALSE(get(stores->audit.first_broken()));
  database->sql().exec("UPDATE audit SET line = '!harmless' WHERE id = 3");
  EXPECT_EQ(get(stores->audit.first_broken()), 3);
}

TEST_F(AuditTest, ARemovedRowBreaksTheChain) {
  fill(5);
  database->sql().exec("DELETE FROM audit WHERE id = 3");
  EXPECT_EQ(get(stores->audit.first_broken()), 4);
}

TEST_F(AuditTest, ARowRehashedAloneBreaksTheChain) {
  fill(3);
  database->sql().exec("UPDATE audit SET hash = repeat('0', 64) WHERE id = 2");
  EXPECT_EQ(get(stores->audit.first_broken()), 2);
}

TEST_F(AuditTest, ForgettingTheBeginningKeepsTheChain) {
  fill(5);
  database->sql().exec("UPDATE audit SET at = at - interval '500 days' WHERE id <= 2");
  get(stores->audit.forget_older_than(std::chrono::hours(24 * 400)));
  EXPECT_EQ(value("SELECT min(id) FROM audit"), "3");
  EXPECT_FALSE(get(stores->audit.first_broken()));
  fill(1);
  EXPECT_FALSE(get(stores->audit.first_broken()));
  database->sql().exec("UPDATE audit SET at = at - interval '500 days'");
  get(stores->audit.forget_older_than(std::chrono::hours(24 * 400)));
  EXPECT_EQ(value("SELECT count(*) FROM audit"), "0");
  fill(2);
  EXPECT_FALSE(get(stores->audit.first_broken()));
}

TEST_F(AuditTest, ALongChainIsReadInParts) {
  fill(3);
  // Rows that only the check reads: their hashes are wrong, so the first of them must be found behind the first part.
  database->sql().exec(
      "INSERT INTO audit (id, at, actor, role, event_id, line, outcome, confirmed_by, job, previous, hash) "
      "SELECT 3 + n, now(), '', '', '', '', '', '', 0, (SELECT hash FROM audit WHERE id = 3), '' FROM generate_series(1, 3) n");
  EXPECT_EQ(get(stores->audit.first_broken()), 4);
}

TEST_F(StoreTest, Roles) {
  get(stores->settings.set_role(UserId("@b:hs"), "reader", UserId("@a:hs")));
  get(stores->settings.set_role(UserId("@b:hs"), "operator", UserId("@c:hs")));
  get(stores->settings.set_role(UserId("@d:hs"), "reader", UserId("@a:hs")));
  auto roles = get(stores->settings.roles());
  ASSERT_EQ(roles.size(), 2u);
  EXPECT_EQ(roles[0].user.str() + roles[0].role + roles[0].given_by, "@b:hsoperator@c:hs");
  get(stores->settings.set_role(UserId("@b:hs"), "", UserId("@a:hs")));
  EXPECT_EQ(get(stores->settings.roles()).size(), 1u);
}

TEST_F(StoreTest, Settings) {
  EXPECT_FALSE(get(stores->settings.get("a")));
  get(stores->settings.put("user.zone", "UTC"));
  get(stores->settings.put("user.zone", ""));
  get(stores->settings.put("user_x", "no dot"));
  get(stores->settings.put("room", "!r"));
  EXPECT_EQ(get(stores->settings.get("user.zone")), "");
  EXPECT_THAT(get(stores->settings.all("user.")), ElementsAre(Pair("user.zone", "")));
  EXPECT_EQ(get(stores->settings.all("")).size(), 3u);
  get(stores->settings.erase("room"));
  EXPECT_FALSE(get(stores->settings.get("room")));
}

TEST_F(StoreTest, HandlesBelongToAskerAndListAndLiveAnHour) {
  const UserId a("@a:hs"), b("@b:hs");
  get(stores->settings.set_handles(a, 'r', {"!one", "!two", "!three"}));
  get(stores->settings.set_handles(a, 'u', {"@x:hs"}));
  EXPECT_EQ(get(stores->settings.handle(a, "r2")), "!two");
  EXPECT_EQ(get(stores->settings.handle(a, "u1")), "@x:hs");
  EXPECT_FALSE(get(stores->settings.handle(b, "r2")));
  get(stores->settings.set_handles(a, 'r', {"!new"}));
  EXPECT_EQ(get(stores->settings.handle(a, "r1")), "!new");
  EXPECT_FALSE(get(stores->settings.handle(a, "r2"))) << "of the list before";
  EXPECT_EQ(get(stores->settings.handle(a, "u1")), "@x:hs") << "another list";
  database->sql().exec("UPDATE handle SET shown_at = now() - interval '61 minutes'");
  EXPECT_FALSE(get(stores->settings.handle(a, "r1")));
}

TEST_F(StoreTest, Uploads) {
  get(stores->settings.add_upload("mxc://hs/1", "a.csv"));
  get(stores->settings.add_upload("mxc://hs/1", "a.csv"));
  get(stores->settings.add_upload("mxc://hs/2", "b.csv"));
  database->sql().exec("UPDATE upload SET uploaded_at = now() - interval '8 days' WHERE mxc = 'mxc://hs/1'");
  EXPECT_THAT(get(stores->settings.due_uploads(std::chrono::hours(24 * 7))), ElementsAre("mxc://hs/1"));
  get(stores->settings.forget_upload("mxc://hs/1"));
  EXPECT_THAT(get(stores->settings.due_uploads(std::chrono::hours(24 * 7))), IsEmpty());
}

TEST_F(StoreTest, TableSizesAreNotedOnceADay) {
  GrowthStore sizes(*session);
  EXPECT_FALSE(get(sizes.taken_today()));
  EXPECT_THAT(get(sizes.days(std::chrono::hours(24 * 30))), IsEmpty());
  std::vector<TableSize> first{{"", 1000}, {"events", 600, 12}, {"odd \"name\", {x}", 5}};
  get(sizes.add(first));
  EXPECT_TRUE(get(sizes.taken_today()));
  std::vector<TableSize> again{{"", 9999}, {"events", 9999, 9}};
  get(sizes.add(again));
  const auto days = get(sizes.days(std::chrono::hours(24 * 30)));
  ASSERT_EQ(days.size(), 1u);
  EXPECT_EQ(days[0].bytes, 1000) << "what the day has already stays";
  EXPECT_LT(days[0].age, std::chrono::minutes(1));
  const auto tables = get(sizes.tables_on(days[0].day));
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables[0].name, "events");
  EXPECT_EQ(tables[0].bytes, 600);
  EXPECT_EQ(tables[0].rows, 12);
  EXPECT_EQ(tables[1].name, "odd \"name\", {x}");
  EXPECT_FALSE(tables[1].rows);
}

TEST_F(StoreTest, TableSizesOfAWindowComeOldestFirstAndAreForgotten) {
  GrowthStore sizes(*session);
  std::vector<TableSize> now{{"", 3000}, {"events", 300}};
  get(sizes.add(now));
  database->sql().exec("INSERT INTO table_size (day, name, bytes, taken_at) SELECT day - back, name, bytes / back, taken_at - back * interval '1 day' "
                       "FROM table_size, (VALUES (2), (10)) AS past (back)");
  const auto all = get(sizes.days(std::chrono::hours(24 * 30)));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].bytes, 300);
  EXPECT_EQ(all[1].bytes, 1500);
  EXPECT_EQ(all[2].bytes, 3000);
  EXPECT_EQ(get(sizes.days(std::chrono::hours(24 * 5))).size(), 2u);
  get(sizes.forget_older_than(std::chrono::hours(24 * 5)));
  EXPECT_EQ(value("SELECT count(*) FROM table_size"), "4");
}

}  // namespace
}  // namespace steward::db
