// Every kind of orphan on a real PostgreSQL, on tables typed as Synapse's: what is found and deleted, what must stay (NULL keys, ids past
// what a double holds, ids that another room has), freezing by the plan, pages, and a search that is cut short.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "commands/orphan_scan.hpp"
#include "store_fixture.hpp"

namespace steward::commands {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Columns and indexes as in Synapse's schema 94, as far as the statements see them.
constexpr const char* tables = R"(
SET search_path = public;
CREATE TABLE rooms (room_id text NOT NULL PRIMARY KEY);
CREATE TABLE events (event_id text NOT NULL UNIQUE, room_id text NOT NULL, stream_ordering bigint UNIQUE, received_ts bigint, outlier boolean NOT NULL DEFAULT false);
CREATE INDEX events_room_stream ON events (room_id, stream_ordering);
CREATE TABLE scheduled_tasks (id text PRIMARY KEY, resource_id text, status text NOT NULL);
CREATE TABLE event_search (event_id text, room_id text, vector tsvector);
CREATE UNIQUE INDEX event_search_event_id_idx ON event_search (event_id);
CREATE TABLE room_retention (room_id text NOT NULL, event_id text NOT NULL, PRIMARY KEY (room_id, event_id));
CREATE TABLE event_labels (event_id text NOT NULL, label text NOT NULL, room_id text NOT NULL, PRIMARY KEY (event_id, label));
CREATE TABLE event_json (event_id text NOT NULL UNIQUE, json text NOT NULL);
CREATE TABLE event_auth (event_id text NOT NULL, auth_id text NOT NULL, room_id text NOT NULL);
CREATE INDEX evauth_edges_id ON event_auth (event_id);
CREATE TABLE event_to_state_groups (event_id text NOT NULL UNIQUE, state_group bigint NOT NULL);
CREATE INDEX event_to_state_groups_sg_index ON event_to_state_groups (state_group);
CREATE TABLE event_auth_chains (event_id text PRIMARY KEY, chain_id bigint NOT NULL, sequence_number bigint NOT NULL);
CREATE TABLE event_auth_chain_links (origin_chain_id bigint NOT NULL, origin_sequence_number bigint NOT NULL, target_chain_id bigint NOT NULL);
CREATE TABLE threads (room_id text NOT NULL, thread_id text NOT NULL, UNIQUE (room_id, thread_id));
CREATE TABLE room_stats_current (room_id text NOT NULL PRIMARY KEY);
CREATE TABLE room_aliases (room_alias text NOT NULL UNIQUE, room_id text NOT NULL);
CREATE TABLE room_alias_servers (room_alias text NOT NULL, server text NOT NULL);
CREATE TABLE state_groups (id bigint NOT NULL PRIMARY KEY, room_id text NOT NULL);
CREATE TABLE state_groups_state (state_group bigint NOT NULL, room_id text NOT NULL, type text NOT NULL, state_key text NOT NULL, event_id text NOT NULL);
CREATE INDEX state_groups_state_type_idx ON state_groups_state (state_group, type, state_key);
CREATE TABLE state_group_edges (state_group bigint NOT NULL, prev_state_group bigint NOT NULL);
CREATE INDEX state_group_edges_prev_idx ON state_group_edges (prev_state_group);
CREATE UNIQUE INDEX state_group_edges_unique_idx ON state_group_edges (state_group, prev_state_group);
CREATE TABLE state_groups_pending_deletion (sequence_number bigint GENERATED ALWAYS AS IDENTITY, state_group bigint NOT NULL, insertion_ts bigint NOT NULL);
CREATE TABLE devices (user_id text NOT NULL, device_id text NOT NULL, hidden boolean DEFAULT false, UNIQUE (user_id, device_id));
CREATE TABLE device_inbox (user_id text NOT NULL, device_id text NOT NULL, stream_id bigint NOT NULL, message_json text NOT NULL);
CREATE INDEX device_inbox_user_stream_id ON device_inbox (user_id, device_id, stream_id);
CREATE TABLE open_id_tokens (token text NOT NULL PRIMARY KEY, ts_valid_until_ms bigint NOT NULL, user_id text NOT NULL);
CREATE TABLE user_daily_visits (user_id text NOT NULL, "timestamp" bigint NOT NULL);
CREATE TABLE local_media_repository (media_id text UNIQUE, media_type text, media_length integer, created_ts bigint, url_cache text, quarantined_by text);
CREATE TABLE access_tokens (id bigint PRIMARY KEY, token text NOT NULL, valid_until_ms bigint);
CREATE TABLE event_reports (id bigint PRIMARY KEY, room_id text NOT NULL, event_id text NOT NULL);
CREATE TABLE e2e_room_keys (user_id text NOT NULL, room_id text NOT NULL, session_id text NOT NULL);
)";

class OrphansTest : public db::StoreTest {
 protected:
  // Ids past what a double holds; the newest state group in use an hour ago is `settled`.
  static constexpr std::int64_t settled = 9007199254740993;
  void SetUp() override {
    db::StoreTest::SetUp();
    if (IsSkipped()) return;
    sql(tables);
    sql("INSERT INTO rooms VALUES ('!here')");
    sql("INSERT INTO events VALUES ('$here', '!here', 5, 1000), ('$new', '!here', 6, " + now("-1 minute") + ")");
    sql("INSERT INTO event_to_state_groups VALUES ('$here', " + id(0) + "), ('$new', " + id(5) + ")");
    sql("INSERT INTO state_groups VALUES (" + id(0) + ", '!here'), (" + id(5) + ", '!here')");
    db::SessionOptions options;
    options.connection = core::Secret(database->connection());
    options.name = "work";
    work.emplace(io.get_executor(), options);
  }
  void TearDown() override {
    work.reset();
    db::StoreTest::TearDown();
  }
  test::Cells sql(const std::string& text) { return database->sql().exec(text); }
  static std::string id(std::int64_t offset) { return std::to_string(settled + offset); }
  static std::string now(const std::string& interval) { return "(extract(epoch FROM now() + interval '" + interval + "') * 1000)::bigint"; }
  std::int64_t count(const std::string& table) { return std::stoll(value("SELECT count(*) FROM " + table)); }
  static const OrphanKind& kind(std::string_view name) {
    const OrphanKind* found = find_orphan_kind(name);
    if (!found) throw std::logic_error("no such kind");
    return *found;
  }
  OrphanSearch search(std::string_view name, std::string from = {}, std::chrono::milliseconds allowed = std::chrono::seconds(30)) {
    moment = get(orphan_moment(*work));
    return get(search_orphans(*work, kind(name), moment, std::move(from), allowed));
  }
  // All batches of `size`; the rows that went, by table.
  core::Result<std::map<std::string, std::int64_t>> clean(std::string_view name, const std::vector<OrphanRange>& ranges, std::int64_t size = 100) {
    std::map<std::string, std::int64_t> rows;
    for (std::vector<std::string> after;;) {
      auto batch_work = [&](db::Transaction& transaction) { return clean_orphans_batch(transaction, kind(name), moment, ranges, after, size); };
      auto running = work->transaction(batch_work);
      auto batch = test::run(io, std::move(running));
      if (!batch) return core::fail(batch.error());
      if (batch->scanned == 0) return rows;
      EXPECT_LE(batch->changed, size);
      for (const auto& [table, gone] : batch->by_table) rows[table] += gone;
      after = batch->after;
    }
  }
  // The whole table afterwards is what `kept` selected before; `gone` rows went.
  void expect_cleaned(std::string_view name, std::int64_t gone, const std::string& columns, const std::string& kept) {
    const std::string table(kind(name).table);
    const auto before = sql("SELECT " + columns + " FROM " + table + " WHERE " + kept + " ORDER BY 1, 2");
    const OrphanSearch found = search(name);
    EXPECT_EQ(found.found, gone) << name;
    EXPECT_TRUE(found.whole);
    const auto rows = clean(name, found.ranges, 2);
    ASSERT_TRUE(rows) << core::describe(rows.error());
    EXPECT_EQ(rows->at(table), gone) << name;
    EXPECT_EQ(sql("SELECT " + columns + " FROM " + table + " ORDER BY 1, 2"), before) << name;
    EXPECT_EQ(search(name).found, 0) << name;
  }

  std::optional<db::Session> work;
  OrphanMoment moment;
};

TEST_F(OrphansTest, EveryStatementFitsItsTable) {
  const auto there = get(orphan_tables(*work));
  int tried = 0;
  for (const OrphanKind& each : orphan_kinds()) {
    if (!there.contains(std::string(each.name))) continue;
    ++tried;
    EXPECT_EQ(search(each.name).found, 0) << each.name;
    EXPECT_EQ(each.clean == nullptr, each.care == OrphanCare::never) << each.name;
    if (each.clean) {
      EXPECT_TRUE(clean(each.name, {{each.type == "text" ? "" : "-5", "5", 3}})) << each.name;
    }
  }
  EXPECT_GE(tried, 20);
}

TEST_F(OrphansTest, RowsOfEventsThatAreGone) {
  // A NULL key is never looked at; an id that the events have, if in another room, keeps its rows; odd characters are opaque.
  sql("INSERT INTO event_search VALUES ('$gone1', '!gone'), ('$gone\\u0000', '!gone'), ('$go\nne''\"', '!gone'), ('$here', '!other'), ('$new', '!here'), (NULL, '!gone'), (NULL, NULL)");
  expect_cleaned("event_search", 3, "event_id, room_id", "event_id IS NULL OR event_id IN ('$here', '$new')");
  sql("INSERT INTO event_labels VALUES ('$gone', '#a', '!gone'), ('$gone', '#b', '!gone'), ('$gone', '#c', '!gone'), ('$here', '#a', '!here')");
  expect_cleaned("event_labels", 3, "event_id, label", "event_id = '$here'");
  sql("INSERT INTO room_retention VALUES ('!gone', '$gone'), ('!gone', '$here'), ('!here', '$gone'), ('!here', '$here')");
  expect_cleaned("room_retention", 2, "room_id, event_id", "event_id = '$here'");
  sql("INSERT INTO event_auth SELECT '$gone', '$a' || n, '!gone' FROM generate_series(1, 9) n");
  sql("INSERT INTO event_auth VALUES ('$here', '$gone', '!here')");
  expect_cleaned("event_auth", 9, "event_id, auth_id", "event_id = '$here'");
}

TEST_F(OrphansTest, AnEventThatIsNotYetVisibleHidesItsRows) {
  test::PlainConnection synapse(database->connection());
  synapse.exec("BEGIN");
  synapse.exec("INSERT INTO events VALUES ('$coming', '!here', 7, 1)");
  synapse.exec("INSERT INTO event_search VALUES ('$coming', '!here')");
  const OrphanSearch found = search("event_search");
  EXPECT_EQ(found.found, 0);
  synapse.exec("COMMIT");
  EXPECT_EQ(search("event_search").found, 0);
}

TEST_F(OrphansTest, StateGroupsOfEventsBelowTheSettledOne) {
  sql("INSERT INTO event_to_state_groups VALUES ('$gone1', 3), ('$gone2', " + id(0) + "), ('$gone3', " + id(1) + "), ('$gone4', " + id(90) + ")");
  expect_cleaned("event_to_state_groups", 2, "event_id, state_group", "event_id NOT IN ('$gone1', '$gone2')");
  EXPECT_EQ(moment.settled, settled);  // $new is not an hour old
}

TEST_F(OrphansTest, WithoutAnOldEventNoStateGroupIsSettled) {
  sql("UPDATE events SET received_ts = NULL");
  sql("INSERT INTO event_to_state_groups VALUES ('$gone1', 3)");
  EXPECT_EQ(search("event_to_state_groups").found, 0);
  EXPECT_EQ(moment.settled, 0);
}

TEST_F(OrphansTest, RowsOfRoomsThatAreGone) {
  sql("INSERT INTO events VALUES ('$half', '!half', 8, 1)");  // its row in rooms was lost, its events were not
  sql("INSERT INTO scheduled_tasks VALUES ('t1', '!deleting', 'active'), ('t2', '!next', 'scheduled'), ('t3', '!gone', 'complete'), ('t4', '!failed', 'failed')");
  sql("INSERT INTO threads SELECT room, '$t' || n FROM unnest(ARRAY['!gone', '!failed', '!here', '!half', '!deleting', '!next']) room, generate_series(1, 5) n");
  expect_cleaned("threads", 10, "room_id, thread_id", "room_id NOT IN ('!gone', '!failed')");
}

TEST_F(OrphansTest, ServersOfAliasesThatAreGone) {
  sql("INSERT INTO room_aliases VALUES ('#here:hs', '!here')");
  sql("INSERT INTO room_alias_servers VALUES ('#here:hs', 'hs'), ('#gone:hs', 'hs'), ('#gone:hs', 'other')");
  expect_cleaned("room_alias_servers", 2, "room_alias, server", "room_alias = '#here:hs'");
}

TEST_F(OrphansTest, StateGroupsOfRoomsThatAreGoneWithTheirRows) {
  // -9 to -1 are the lost room's; an event uses -5, a group of the living room builds on -3, 1 is newer than the settled one.
  sql("INSERT INTO state_groups SELECT " + id(0) + " - n, '!gone' FROM generate_series(1, 9) n");
  sql("INSERT INTO state_groups VALUES (" + id(1) + ", '!gone')");
  sql("INSERT INTO state_groups_state SELECT id, room_id, 'm.room.member', '@' || m, '$m' FROM state_groups, generate_series(1, 3) m");
  sql("INSERT INTO state_group_edges SELECT id, id - 1 FROM state_groups WHERE room_id = '!gone' AND id > " + id(-9));
  sql("INSERT INTO state_group_edges VALUES (" + id(0) + ", " + id(-3) + ")");
  sql("INSERT INTO event_to_state_groups VALUES ('$other', " + id(-5) + ")");
  sql("INSERT INTO events VALUES ('$other', '!elsewhere', 9, 1000)");
  const OrphanSearch found = search("state_groups");
  EXPECT_EQ(found.found, 7);
  const auto rows = clean("state_groups", found.ranges, 2);
  ASSERT_TRUE(rows) << core::describe(rows.error());
  EXPECT_EQ(rows->at("state_groups"), 7);
  EXPECT_EQ(rows->at("state_groups_state"), 21);
  EXPECT_EQ(rows->at("state_group_edges"), 6);
  EXPECT_EQ(value("SELECT string_agg((id - " + id(0) + ")::text, ' ' ORDER BY id) FROM state_groups"), "-5 -3 0 1 5");
  EXPECT_EQ(count("state_groups_state WHERE state_group IN (SELECT id FROM state_groups)"), count("state_groups_state"));
}

TEST_F(OrphansTest, RowsOfStateGroupsThatAreGone) {
  sql("INSERT INTO state_groups_state SELECT g, '!gone', 'm.room.member', '@' || m, '$m' FROM unnest(ARRAY[1, " + id(-2) + ", " + id(0) + ", " + id(2) + "]) g, generate_series(1, 3) m");
  expect_cleaned("state_groups_state", 6, "state_group, state_key", "state_group IN (" + id(0) + ", " + id(2) + ")");
  // Where the group is there and its base is gone, the state is damaged: shown, never hidden by taking the link.
  sql("INSERT INTO state_group_edges VALUES (7, 6), (8, " + id(0) + "), (" + id(0) + ", 6), (" + id(3) + ", 2)");
  expect_cleaned("state_group_edges", 2, "state_group, prev_state_group", "state_group IN (" + id(0) + ", " + id(3) + ")");
  EXPECT_EQ(search("dangling_edges").found, 1);
  sql("INSERT INTO state_groups_pending_deletion (state_group, insertion_ts) VALUES (6, 1), (" + id(0) + ", 1), (" + id(4) + ", 1)");
  expect_cleaned("state_groups_pending_deletion", 1, "state_group, insertion_ts", "state_group <> 6");
}

TEST_F(OrphansTest, MessagesToDevicesThatAreGone) {
  sql("INSERT INTO devices VALUES ('@a', 'D', false), ('@a', 'N', NULL), ('@a', 'H', true), ('@b', 'D2', false)");
  sql("INSERT INTO device_inbox SELECT u, d, n, '{}' FROM (VALUES ('@a', 'D'), ('@a', 'N'), ('@a', 'H'), ('@a', 'D2'), ('@b', 'D2'), ('@c', 'D')) v (u, d), "
      "generate_series(" + id(0) + ", " + id(6) + ") n");
  expect_cleaned("device_inbox", 21, "user_id || device_id, stream_id", "(user_id, device_id) IN (('@a', 'D'), ('@a', 'N'), ('@b', 'D2'))");
}

TEST_F(OrphansTest, WhatATimeMakesUseless) {
  sql("INSERT INTO open_id_tokens VALUES ('t1', " + now("-25 hours") + ", '@a'), ('t2', " + now("-25 hours") + ", '@a'), ('t3', " + now("-23 hours") + ", '@a'), ('t4', " + now("1 hour") + ", '@a')");
  expect_cleaned("open_id_tokens", 2, "token, user_id", "token IN ('t3', 't4')");
  sql("INSERT INTO user_daily_visits VALUES ('@a', " + now("-121 days") + "), ('@a', " + now("-119 days") + ")");
  expect_cleaned("user_daily_visits", 1, "user_id, \"timestamp\"", "\"timestamp\" > " + now("-120 days"));
  sql("INSERT INTO local_media_repository (media_id, created_ts) VALUES ('old', " + now("-49 hours") + "), ('new', " + now("-47 hours") + "), ('timeless', NULL), (NULL, 1)");
  sql("INSERT INTO local_media_repository VALUES ('used', 'image/png', 5, 1, NULL, NULL), ('preview', NULL, NULL, 1, 'http://x', NULL), "
      "('judged', NULL, NULL, 1, NULL, '@mod'), ('typed', 'image/png', NULL, 1, NULL, NULL)");
  expect_cleaned("reserved_media", 1, "media_id, created_ts", "media_id IS DISTINCT FROM 'old'");
  sql("INSERT INTO access_tokens VALUES (1, 'a', 5), (2, 'b', NULL), (3, 'c', " + now("1 day") + ")");
  EXPECT_EQ(search("access_tokens").found, 1);
}

TEST_F(OrphansTest, AuthChainsAreFoundForAStoppedSynapse) {
  sql("INSERT INTO event_auth_chains VALUES ('$here', 1, 1), ('$gone', 1, 2), ('$gone2', 2, 1)");
  sql("INSERT INTO event_auth_chain_links VALUES (1, 1, 9), (1, 2, 9), (2, 1, 9), (3, 1, 9)");
  expect_cleaned("event_auth_chain_links", 3, "origin_chain_id, origin_sequence_number", "origin_chain_id = 1 AND origin_sequence_number = 1");
  expect_cleaned("event_auth_chains", 2, "event_id, chain_id", "event_id = '$here'");
  EXPECT_EQ(kind("event_auth_chains").care, OrphanCare::stopped);
}

// What the plan did not see never goes, what belongs to something again stays.
TEST_F(OrphansTest, TheActTakesNoMoreThanThePlanFound) {
  sql("INSERT INTO event_search SELECT '$gone' || n, '!gone' FROM generate_series(10, 49) n");
  const OrphanSearch planned = search("event_search");
  ASSERT_EQ(planned.found, 40);
  sql("INSERT INTO events SELECT '$gone' || n, '!gone', 100 + n, 1 FROM generate_series(10, 19) n");
  sql("INSERT INTO event_search VALUES ('$zzz', '!gone')");  // behind the range
  auto rows = clean("event_search", planned.ranges, 7);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->at("event_search"), 30);
  EXPECT_EQ(count("event_search WHERE event_id < '$gone20'"), 10);
  EXPECT_EQ(count("event_search WHERE event_id = '$zzz'"), 1);

  const OrphanSearch again = search("event_search");
  ASSERT_EQ(again.found, 1);
  sql("DELETE FROM events WHERE event_id = '$gone15'");  // an orphan within the range that no plan named
  rows = clean("event_search", again.ranges, 7);
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().what, more_than_planned);
  EXPECT_EQ(count("event_search WHERE event_id = '$zzz'"), 1);
  EXPECT_THAT(behind_range(again.ranges, {}), ElementsAre("1", "", "0"));
}

TEST_F(OrphansTest, ThePlansNoteIsReadAsItWasWritten) {
  OrphanSearch written;
  written.ranges = {{"", "$a b:3:7 \"'\n", 5}, {"$\xC3\xA9", "9223372036854775807", 1}};
  const auto decoded = decode_search(encode_search({1'700'000'000'000, settled}, written));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->first.now_ms, 1'700'000'000'000);
  EXPECT_EQ(decoded->first.settled, settled);
  ASSERT_EQ(decoded->second.size(), 2U);
  EXPECT_EQ(decoded->second[0].last, "$a b:3:7 \"'\n");
  EXPECT_EQ(decoded->second[1].after, "$\xC3\xA9");
  EXPECT_EQ(decoded->second[1].rows, 1);
  for (const char* broken : {"", "2 1 1 ", "1 1", "1 1 1 5 3:ab", "1 1 1 5 99:a1:b", "1 1 1 x 1:a1:b", "1 1 1 5 -1:a1:b"})
    EXPECT_FALSE(decode_search(broken)) << broken;
}

TEST_F(OrphansTest, ASearchThatIsCutShortGoesOnTheNextTime) {
  sql("INSERT INTO event_search SELECT '$' || to_char(n, 'FM00000'), '!gone' FROM generate_series(1, 30000) n");
  sql("INSERT INTO events SELECT event_id, room_id, 1000 + row_number() OVER () FROM event_search WHERE event_id < '$20000'");
  sql("ANALYZE");
  const OrphanSearch first = search("event_search", "", std::chrono::milliseconds(0));  // one page
  EXPECT_FALSE(first.whole);
  EXPECT_EQ(first.scanned, 5000);
  EXPECT_EQ(first.found, 0);
  EXPECT_EQ(first.reached, "$05000");
  const OrphanSearch rest = search("event_search", first.reached);
  EXPECT_TRUE(rest.whole);
  EXPECT_EQ(rest.scanned, 30000);
  EXPECT_EQ(rest.found, 10001);

  // Over all kinds: the place is remembered, and said.
  auto survey = get(survey_orphans(*work, stores->settings, 94, std::chrono::milliseconds(0), true));
  const auto entry = std::find_if(survey.kinds.begin(), survey.kinds.end(), [](const OrphansFound& found) { return found.kind->name == "event_search"; });
  ASSERT_NE(entry, survey.kinds.end());
  if (!entry->search.whole) {
    EXPECT_THAT(found_text(*entry), HasSubstr("looked at"));
    EXPECT_EQ(get(stores->settings.get("orphans.next.event_search")), entry->search.reached);
  }
  survey = get(survey_orphans(*work, stores->settings, 94, std::chrono::seconds(30), true));
  EXPECT_EQ(get(stores->settings.get("orphans.next.event_search")), std::nullopt);
  for (const OrphansFound& found : survey.kinds) EXPECT_TRUE(found.search.whole) << found.kind->name;
  EXPECT_THAT(survey.absent, testing::Contains("state_events"));  // not among the tables of this test
}

TEST_F(OrphansTest, ATableWithoutTheRightIsNamed) {
  sql("INSERT INTO event_search VALUES ('$gone', '!gone')");
  const std::string plain = database->plain_role();
  sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + database->last_role());
  sql("REVOKE SELECT ON event_labels FROM " + database->last_role());
  db::SessionOptions options;
  options.connection = core::Secret(plain);
  options.name = "plain";
  db::Session reader(io.get_executor(), options);
  const auto survey = get(survey_orphans(reader, stores->settings, 94, std::chrono::seconds(30), false));
  for (const OrphansFound& found : survey.kinds) {
    EXPECT_FALSE(found.table.can_delete);
    if (found.kind->name == "event_labels") {
      EXPECT_THAT(found.problem, HasSubstr("GRANT SELECT (event_id) ON event_labels TO"));
    } else {
      EXPECT_THAT(found.problem, IsEmpty()) << found.kind->name;
    }
  }
}

}  // namespace
}  // namespace steward::commands
