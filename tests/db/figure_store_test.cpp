// What the reports counted before: which of them a new report is compared with, and what the jobs did in between.
#include "db/figure_store.hpp"

#include "store_fixture.hpp"

namespace steward::db {
namespace {

using std::chrono::hours;

class FigureTest : public StoreTest {
 protected:
  void taken(const std::string& ago, int value) {
    database->sql().exec("INSERT INTO figure VALUES (now() - interval '" + ago + "', 'rooms', " + std::to_string(value) + ")");
  }
  std::int64_t rooms_before(std::chrono::seconds window) {
    const auto figures = get(FigureStore(*session).before(window));
    return figures ? figures->values.at("rooms") : -1;
  }
};

TEST_F(FigureTest, ComparesWithAboutAWindowAgo) {
  EXPECT_EQ(rooms_before(hours(24)), -1);
  taken("10 minutes", 5);
  EXPECT_EQ(rooms_before(hours(24)), -1) << "what was counted just now says nothing";
  taken("3 hours", 4);
  EXPECT_EQ(rooms_before(hours(24)), 4) << "the oldest there is";
  taken("23 hours", 3);
  taken("2 days", 2);
  taken("8 days", 1);
  EXPECT_EQ(rooms_before(hours(24)), 3);
  EXPECT_EQ(rooms_before(hours(24 * 7)), 1);
  get(FigureStore(*session).forget_older_than(hours(24)));
  EXPECT_EQ(rooms_before(hours(24 * 7)), 3);
}

TEST_F(FigureTest, AskingTwiceKeepsTheDayBefore) {
  FigureStore store(*session);
  get(store.keep({{"rooms", 7}, {"people", 2}}));
  get(store.keep({{"rooms", 8}}));
  EXPECT_EQ(value("SELECT string_agg(name || value, ' ' ORDER BY name) FROM figure"), "people2 rooms7");
}

TEST_F(FigureTest, CountsTheWorkOfTheWindow) {
  database->sql().exec(
      "INSERT INTO job (number, command, line, asker, origin, level, state, finished_at) VALUES "
      "(1, 'a', 'a', '@a:hs', 'room', 3, 'done', now() - interval '2 days'), (2, 'a', 'a', '@a:hs', 'room', 3, 'done', now() - interval '2 hours'), "
      "(3, 'a', 'a', '@a:hs', 'room', 3, 'failed', now()), (4, 'a', 'a', '@a:hs', 'room', 3, 'waiting', NULL);"
      "INSERT INTO job_item (job, position, kind, target, label, bytes, rows, note, state, done_bytes, done_rows) VALUES "
      "(1, 0, 'room', 'x', 'x', 0, 0, '', 'done', 1000, 10), (2, 0, 'room', 'x', 'x', 0, 0, '', 'done', 50, 3)");
  const WorkDone work = get(FigureStore(*session).work(hours(24)));
  EXPECT_EQ(work.done, 1);
  EXPECT_EQ(work.failed, 1);
  EXPECT_EQ(work.waiting, 1);
  EXPECT_EQ(work.freed.count, 50);
  EXPECT_EQ(work.rows, 3);
}

}  // namespace
}  // namespace steward::db
