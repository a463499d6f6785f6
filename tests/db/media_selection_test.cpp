// The choice of purge-media on a real PostgreSQL: each reason to keep a file, and Synapse's own statements as the judge over a mixed
// stock. The tables are Synapse's, cut down to the columns that are read; tests/e2e deletes on a real Synapse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "commands/media_selection.hpp"
#include "sql/statements.hpp"

namespace steward::commands {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* tables = R"(
CREATE TABLE local_media_repository (media_id text UNIQUE, media_type text, media_length integer, created_ts bigint, user_id text,
  quarantined_by text, url_cache text, last_access_ts bigint, safe_from_quarantine boolean NOT NULL DEFAULT false, upload_name text);
CREATE TABLE remote_media_cache (media_origin text, media_id text, media_length integer, last_access_ts bigint, quarantined_by text,
  media_type text, created_ts bigint, upload_name text);
CREATE TABLE profiles (avatar_url text);
CREATE TABLE room_memberships (avatar_url text);
CREATE TABLE user_directory (avatar_url text);
CREATE TABLE room_stats_state (avatar text);
)";

// storage/databases/main/media_repository.py of Synapse 1.163.2, get_local_media_ids, with the cut-off 1000 and the size 0.
constexpr const char* synapse_local = R"(
SELECT media_id FROM local_media_repository AS lmr
WHERE ( last_access_ts < 1000 OR ( created_ts < 1000 AND last_access_ts IS NULL ) ) AND media_length > 0
  AND ( NOT EXISTS (SELECT 1 FROM profiles WHERE profiles.avatar_url = 'mxc://hs.test/' || lmr.media_id)
    AND NOT EXISTS (SELECT 1 FROM room_memberships WHERE room_memberships.avatar_url = 'mxc://hs.test/' || lmr.media_id)
    AND NOT EXISTS (SELECT 1 FROM user_directory WHERE user_directory.avatar_url = 'mxc://hs.test/' || lmr.media_id)
    AND NOT EXISTS (SELECT 1 FROM room_stats_state WHERE room_stats_state.avatar = 'mxc://hs.test/' || lmr.media_id))
  AND quarantined_by IS NULL AND NOT safe_from_quarantine)";

class MediaSelectionTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    database.emplace();
    sql(tables);
    db::SessionOptions options;
    options.name = "read";
    options.connection = core::Secret(database->connection());
    session.emplace(io.get_executor(), options);
  }
  void TearDown() override {
    session.reset();
    database.reset();
  }
  void sql(const std::string& text) { database->sql().exec(text); }
  // An old file of ann, 10 bytes, changed by `set`.
  void file(const std::string& id, const std::string& set = "media_id = media_id") {
    sql("INSERT INTO local_media_repository (media_id, media_type, media_length, created_ts, user_id, last_access_ts) VALUES ('" + id +
        "', 'image/png', 10, 1, '@ann:hs.test', 999)");
    sql("UPDATE local_media_repository SET " + set + " WHERE media_id = '" + id + "'");
  }
  MediaChoice choice() {
    MediaChoice made;
    made.server_name = "hs.test";
    made.before_ms = 1000;
    return made;
  }
  LocalMedia select(const MediaChoice& chosen, bool listed = true) {
    auto found = test::run(io, select_local(*session, chosen, listed));
    if (!found) throw std::runtime_error(core::describe(found.error()));
    return std::move(*found);
  }
  RemoteMedia remote(std::int64_t before) {
    auto found = test::run(io, select_remote(*session, before, Slices::usual));
    if (!found) throw std::runtime_error(core::describe(found.error()));
    return std::move(*found);
  }
  static std::vector<std::string> ids(const LocalMedia& media) {
    std::vector<std::string> found;
    for (const LocalMedia::File& each : media.chosen) found.push_back(each.id);
    return found;
  }
  std::vector<std::string> chosen(const MediaChoice& made) { return ids(select(made)); }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<db::Session> session;
};

TEST_F(MediaSelectionTest, EachReasonKeepsAndIsCounted) {
  file("old");
  file("never-opened", "last_access_ts = NULL, created_ts = 999");
  file("recent", "last_access_ts = 1000");
  file("new-and-never-opened", "last_access_ts = NULL, created_ts = 1000");
  file("empty", "media_length = 0");
  file("reserved", "media_length = NULL");
  file("quarantined", "quarantined_by = '@a:hs.test'");
  file("protected", "safe_from_quarantine = true");
  file("preview", "url_cache = 'https://example.org'");
  file("of-user");
  file("of-member");
  file("of-directory");
  file("of-room");
  sql("INSERT INTO profiles VALUES ('mxc://hs.test/of-user'), (NULL), ('mxc://other.test/old')");
  sql("INSERT INTO room_memberships VALUES ('mxc://hs.test/of-member'), ('mxc://hs.test/of-user')");
  sql("INSERT INTO user_directory VALUES ('mxc://hs.test/of-directory')");
  sql("INSERT INTO room_stats_state VALUES ('mxc://hs.test/of-room')");
  const LocalMedia media = select(choice());
  EXPECT_THAT(ids(media), UnorderedElementsAre("old", "never-opened"));
  EXPECT_EQ(media.wanted.files, 2);
  EXPECT_EQ(media.wanted.bytes.count, 20);
  std::map<std::string, std::int64_t> kept;
  for (const auto& [reason, count] : media.others) kept[reason] = count.files;
  const std::map<std::string, std::int64_t> expected{{"recent", 2}, {"small", 1}, {"reserved", 1}, {"quarantined", 1}, {"protected", 1}, {"preview", 1}, {"avatar", 4}};
  EXPECT_EQ(kept, expected);
  EXPECT_EQ(media.total.files, 13);
  EXPECT_EQ(media.total.bytes.count, 110);

  const LocalMedia counted = select(choice(), false);
  EXPECT_THAT(counted.chosen, IsEmpty());
  EXPECT_EQ(counted.wanted.files, 2);
  EXPECT_EQ(counted.wanted.bytes.count, 20);
}

TEST_F(MediaSelectionTest, FiltersTakeOnlyWhatTheyName) {
  file("a");
  file("b", "user_id = '@bob:hs.test', media_length = 11");
  file("c", "media_type = 'Video/MP4; codecs=x', user_id = NULL");
  MediaChoice only = choice();
  only.user = "@ann:hs.test";
  EXPECT_THAT(chosen(only), ElementsAre("a"));
  only = choice();
  only.larger = core::Bytes{10};
  EXPECT_THAT(chosen(only), ElementsAre("b"));
  only = choice();
  only.type = "video";
  EXPECT_THAT(chosen(only), ElementsAre("c"));
  only.type = "video/mp4";
  EXPECT_THAT(chosen(only), ElementsAre("c"));
  only.type = "vid";
  EXPECT_THAT(chosen(only), IsEmpty());
  only = choice();
  only.ids = std::vector<std::string>{"a", "c", "x\"{},"};
  EXPECT_THAT(chosen(only), UnorderedElementsAre("a", "c"));
  only.ids->clear();
  EXPECT_THAT(chosen(only), IsEmpty());
  EXPECT_EQ(select(only).total.files, 3);
}

TEST_F(MediaSelectionTest, WithoutACutOffEverythingOfAUserGoesButWhatIsProtected) {
  file("new", "last_access_ts = 9000000000000");
  file("empty", "media_length = 0");
  file("quarantined", "quarantined_by = '@a:hs.test'");
  file("picture");
  sql("INSERT INTO profiles VALUES ('mxc://hs.test/picture')");
  MediaChoice all = choice();
  all.before_ms.reset();
  all.larger = core::Bytes{-1};
  all.user = "@ann:hs.test";
  EXPECT_THAT(chosen(all), UnorderedElementsAre("new", "empty"));
  all.include_profiles = true;
  EXPECT_THAT(chosen(all), UnorderedElementsAre("new", "empty", "picture"));
}

TEST_F(MediaSelectionTest, TheSameChoiceAsSynapse) {
  // Every combination of what the choice looks at.
  sql(R"(INSERT INTO local_media_repository (media_id, media_type, media_length, created_ts, user_id, last_access_ts, quarantined_by, safe_from_quarantine)
         SELECT concat_ws('-', l, c, a, q, p, n), 'image/png', l, c, '@u:hs.test', a, q, p
         FROM unnest(ARRAY[NULL, 0, 1, 500]) l, unnest(ARRAY[999, 1000, NULL]) c, unnest(ARRAY[NULL, 1, 999, 1000, 1001]) a,
              unnest(ARRAY[NULL, '@a:hs.test']) q, unnest(ARRAY[true, false]) p, generate_series(1, 6) n ON CONFLICT DO NOTHING)");
  sql("INSERT INTO profiles SELECT 'mxc://hs.test/' || media_id FROM local_media_repository WHERE media_id LIKE '%-1'");
  sql("INSERT INTO room_memberships SELECT 'mxc://hs.test/' || media_id FROM local_media_repository WHERE media_id LIKE '%-2'");
  sql("INSERT INTO user_directory SELECT 'mxc://hs.test/' || media_id FROM local_media_repository WHERE media_id LIKE '%-3'");
  sql("INSERT INTO room_stats_state SELECT 'mxc://hs.test/' || media_id FROM local_media_repository WHERE media_id LIKE '%-4'");
  const LocalMedia media = select(choice());
  sql("CREATE TABLE ours (media_id text)");
  for (const LocalMedia::File& each : media.chosen) sql("INSERT INTO ours VALUES ('" + each.id + "')");
  const std::string theirs(synapse_local);
  EXPECT_GT(media.wanted.files, 10);
  EXPECT_EQ(database->sql().value("SELECT count(*) FROM (" + theirs + " EXCEPT ALL SELECT media_id FROM ours) AS x"), "0");
  EXPECT_EQ(database->sql().value("SELECT count(*) FROM (SELECT media_id FROM ours EXCEPT ALL " + theirs + ") AS x"), "0");
}

TEST_F(MediaSelectionTest, RemoteMediaInRisingSlicesThatAddUp) {
  sql("INSERT INTO remote_media_cache SELECT 's' || i % 7, i::text, 3, i, CASE WHEN i % 100 = 0 THEN '@a:hs.test' END FROM generate_series(1, 6000) i");
  sql("INSERT INTO remote_media_cache VALUES ('s', 'unopened', 1, NULL, NULL), ('s', 'recent', 1, 5001, NULL)");
  const RemoteMedia media = remote(5001);
  EXPECT_EQ(media.wanted.files, 4950);
  EXPECT_EQ(media.wanted.bytes.count, 4950 * 3);
  EXPECT_EQ(media.others.at("unopened").files, 1);
  EXPECT_EQ(media.others.at("quarantined").files, 50);
  EXPECT_EQ(media.others.at("recent").files, 1001);
  ASSERT_EQ(media.slices.size(), 4U);
  std::int64_t from = 0;
  for (const RemoteMedia::Slice& slice : media.slices) {
    EXPECT_GT(slice.before_ms, from);
    EXPECT_EQ(database->sql().value("SELECT count(*) FROM remote_media_cache WHERE quarantined_by IS NULL AND last_access_ts < " + std::to_string(slice.before_ms) +
                                    " AND last_access_ts >= " + std::to_string(from)),
              std::to_string(slice.count.files));
    from = slice.before_ms;
  }
  EXPECT_EQ(from, 5001);
}

TEST_F(MediaSelectionTest, RemoteMediaOfOneMomentAreOneSlice) {
  sql("INSERT INTO remote_media_cache SELECT 's', i::text, 1, 7, NULL FROM generate_series(1, 3000) i");
  const RemoteMedia media = remote(1000);
  std::int64_t files = 0;
  for (const RemoteMedia::Slice& slice : media.slices) files += slice.count.files;
  EXPECT_EQ(files, 3000);
  EXPECT_EQ(media.slices.size(), 1U);
  EXPECT_THAT(remote(7).slices, IsEmpty());
}

// What list-media shows: the ids of a page, before them the total.
TEST_F(MediaSelectionTest, AListIsFilteredSortedAndPaged) {
  file("big", "media_length = 500, created_ts = 30, last_access_ts = NULL");
  file("aged", "created_ts = 10");
  file("shut", "created_ts = 20, last_access_ts = 5");
  file("other", "user_id = '@bob:hs.test', created_ts = 40, quarantined_by = '@op:hs.test', last_access_ts = 9000000000000");
  file("reserved", "media_length = NULL");
  sql("INSERT INTO remote_media_cache VALUES ('far.test', 'cached', 7, 1, '@op:hs.test', 'image/png', 50, NULL)");
  using Chosen = std::map<std::string, std::string>;
  const auto listed = [this](const Chosen& chosen) {
    Chosen all{{"local", "true"}, {"remote", "false"}, {"quarantined", "false"}, {"user", ""}, {"min_size", "0"}, {"sort", ""}, {"limit", "10"}, {"offset", "0"}};
    for (const auto& [name, value] : chosen) all[name] = value;
    db::Arguments query{{"server", "hs.test"}, {"older", std::nullopt}, {"ids", std::nullopt}};
    for (const auto& [name, value] : all) {
      if (name == "older" || name == "ids") std::erase_if(query, [&name](const auto& each) { return each.first == name; });
      query.emplace_back(name, value);
    }
    auto rows = test::run(io, session->query(db::sql::media_list, query));
    if (!rows) throw std::runtime_error(core::describe(rows.error()));
    std::vector<std::string> found{std::to_string(rows->front().integer("total"))};
    for (const db::Row& row : *rows)
      if (!row.is_null("media_id")) found.push_back(row.text("media_id"));
    return found;
  };
  EXPECT_THAT(listed({}), ElementsAre("4", "other", "big", "shut", "aged"));
  EXPECT_THAT(listed({{"sort", "size"}}), ElementsAre("4", "big", "aged", "other", "shut"));
  EXPECT_THAT(listed({{"sort", "age"}}), ElementsAre("4", "aged", "shut", "big", "other"));
  EXPECT_THAT(listed({{"sort", "access"}}), ElementsAre("4", "shut", "big", "aged", "other"));
  EXPECT_THAT(listed({{"sort", "age"}, {"limit", "2"}, {"offset", "1"}}), ElementsAre("4", "shut", "big"));
  EXPECT_THAT(listed({{"offset", "10"}}), ElementsAre("4"));
  EXPECT_THAT(listed({{"user", "@bob:hs.test"}}), ElementsAre("1", "other"));
  EXPECT_THAT(listed({{"min_size", "500"}}), ElementsAre("1", "big"));
  EXPECT_THAT(listed({{"older", "3600"}}), ElementsAre("3", "big", "shut", "aged"));
  EXPECT_THAT(listed({{"ids", "{mxc://hs.test/aged,mxc://far.test/cached}"}}), ElementsAre("1", "aged"));
  EXPECT_THAT(listed({{"local", "false"}, {"remote", "true"}}), ElementsAre("1", "cached"));
  EXPECT_THAT(listed({{"remote", "true"}, {"quarantined", "true"}}), ElementsAre("2", "cached", "other"));
  EXPECT_THAT(listed({{"min_size", "501"}}), ElementsAre("0"));
}

TEST_F(MediaSelectionTest, ALargeShareRaisesTheLevel) {
  file("old");
  file("recent", "last_access_ts = 1000, media_length = 90");
  jobs::Plan plan;
  plan.level = 3;
  const LocalMedia media = select(choice());
  add_local(plan, media, choice());
  raise_level(plan, media, 0.1);
  EXPECT_EQ(plan.level, 3);
  raise_level(plan, media, 0.09);
  EXPECT_EQ(plan.level, 4);
  EXPECT_EQ(plan.word, "1");
  EXPECT_FALSE(plan.level_reason.empty());
  ASSERT_EQ(plan.items.size(), 1U);
  EXPECT_EQ(plan.items[0].target, "mxc://hs.test/old");
  EXPECT_EQ(plan.bytes.count, 10);
}

TEST_F(MediaSelectionTest, ThePlanRemembersItsChoice) {
  jobs::Plan plan;
  MediaChoice made = choice();
  made.include_profiles = true;
  store_choice(plan, made);
  auto read = stored_choice(plan, "hs.test");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->before_ms, 1000);
  EXPECT_TRUE(read->include_profiles);
  made.before_ms.reset();
  store_choice(plan, made);
  EXPECT_FALSE(stored_choice(plan, "hs.test")->before_ms.has_value());
  EXPECT_FALSE(stored_choice(jobs::Plan{}, "hs.test"));
}

}  // namespace
}  // namespace steward::commands
