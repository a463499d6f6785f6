// What is watched: one row per limit, a trouble that begins anew is told anew, silence that ends by itself, reactions and their lines.
#include "db/alert_store.hpp"
#include "store_fixture.hpp"

namespace steward::db {
namespace {

using AlertStoreTest = StoreTest;

TEST_F(AlertStoreTest, TheSameLimitIsOneRow) {
  const auto first = get(stores->alerts.add("disk-free", 100, "@a:hs"));
  EXPECT_EQ(get(stores->alerts.add("disk-free", 100, "@b:hs")), first);
  EXPECT_NE(get(stores->alerts.add("disk-free", 200, "@b:hs")), first);
  EXPECT_EQ(get(stores->alerts.all()).size(), 2U);
  EXPECT_EQ(get(stores->alerts.find(first))->added_by, "@a:hs");
  EXPECT_TRUE(get(stores->alerts.remove(first)));
  EXPECT_FALSE(get(stores->alerts.remove(first)));
}

TEST_F(AlertStoreTest, ANewTroubleForgetsHowTheLastWasTold) {
  const auto number = get(stores->alerts.add("connections", 90, ""));
  AlertRow alert = *get(stores->alerts.find(number));
  EXPECT_FALSE(alert.value || alert.since || alert.ended);
  alert.firing = true;
  alert.value = 95;
  get(stores->alerts.note(alert, /*begins=*/true, /*ends=*/false));
  get(stores->alerts.note_told({number}, "alert:1@5"));
  get(stores->alerts.acknowledge(number, "@a:hs"));
  get(stores->alerts.note(alert, false, false));
  alert = *get(stores->alerts.find(number));
  EXPECT_TRUE(alert.firing && alert.since && !alert.ended);
  EXPECT_EQ(alert.message, "alert:1@5");
  EXPECT_EQ(alert.acknowledged_by, "@a:hs");
  EXPECT_EQ(get(stores->alerts.told_by("alert:1@5")).size(), 1U);
  alert.firing = false;
  get(stores->alerts.note(alert, false, true));
  alert = *get(stores->alerts.find(number));
  EXPECT_TRUE(!alert.firing && alert.since && alert.ended);
  EXPECT_EQ(alert.message, "alert:1@5") << "its message still tells how it ended";
  alert.firing = true;
  get(stores->alerts.note(alert, true, false));
  alert = *get(stores->alerts.find(number));
  EXPECT_EQ(alert.message, "");
  EXPECT_EQ(alert.acknowledged_by, "");
  EXPECT_FALSE(alert.ended);
}

TEST_F(AlertStoreTest, SilenceIsOverByItself) {
  const auto number = get(stores->alerts.add("connections", 90, ""));
  get(stores->alerts.silence(number, std::chrono::hours(4)));
  EXPECT_TRUE(get(stores->alerts.find(number))->silenced_until);
  database->sql().exec("UPDATE alert SET silenced_until = now() - interval '1 second'");
  EXPECT_FALSE(get(stores->alerts.find(number))->silenced_until);
}

TEST_F(AlertStoreTest, AReactionStandsForALine) {
  get(stores->alerts.offer("alert:1@5", "👀", "ack 1"));
  get(stores->alerts.offer("alert:1@5", "👀", "ack 1 2"));
  EXPECT_EQ(get(stores->alerts.offered("alert:1@5", "👀")), "ack 1 2");
  EXPECT_FALSE(get(stores->alerts.offered("alert:1@5", "🧹")));
  EXPECT_FALSE(get(stores->alerts.offered("alert:2@5", "👀")));
  get(stores->alerts.forget_offers_older_than(std::chrono::hours(1)));
  EXPECT_TRUE(get(stores->alerts.offered("alert:1@5", "👀")));
  database->sql().exec("UPDATE offer SET made_at = now() - interval '2 hours'");
  get(stores->alerts.forget_offers_older_than(std::chrono::hours(1)));
  EXPECT_FALSE(get(stores->alerts.offered("alert:1@5", "👀")));
}

}  // namespace
}  // namespace steward::db
