// Text of redacted events on a real PostgreSQL: what is found, what is proven, what goes and that nothing else does. The tables are
// those of Synapse's schema 94, the JSON holds what must never be cast in SQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "commands/redacted_text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* tables = R"(
CREATE TABLE redactions (event_id text NOT NULL UNIQUE, redacts text NOT NULL, have_censored boolean DEFAULT false NOT NULL, received_ts bigint, recheck boolean DEFAULT true NOT NULL);
CREATE INDEX redactions_redacts ON redactions (redacts);
CREATE TABLE events (event_id text NOT NULL UNIQUE, room_id text NOT NULL, type text NOT NULL, content text, unrecognized_keys text, stream_ordering bigint);
CREATE TABLE event_json (event_id text NOT NULL UNIQUE, room_id text NOT NULL, internal_metadata text NOT NULL, json text NOT NULL, format_version int);
CREATE TABLE event_search (event_id text, room_id text, sender text, key text, vector tsvector, origin_server_ts bigint, stream_ordering bigint);
CREATE UNIQUE INDEX event_search_event_id_idx ON event_search (event_id);
CREATE TABLE room_memberships (event_id text NOT NULL UNIQUE, user_id text NOT NULL, room_id text NOT NULL, membership text NOT NULL, display_name text, avatar_url text);
CREATE TABLE current_state_events (event_id text NOT NULL UNIQUE, room_id text NOT NULL, type text NOT NULL, state_key text NOT NULL, membership text);
CREATE TABLE event_relations (event_id text NOT NULL UNIQUE, relates_to_id text NOT NULL, relation_type text NOT NULL, aggregation_key text);
CREATE TABLE event_reports (id bigint NOT NULL PRIMARY KEY, received_ts bigint NOT NULL, room_id text NOT NULL, event_id text NOT NULL, user_id text NOT NULL, reason text, content text);
)";

constexpr const char* everything = "SELECT (SELECT md5(string_agg(t::text, E'\\n' ORDER BY event_id)) FROM redactions t), "
    "(SELECT md5(string_agg(t::text, E'\\n' ORDER BY event_id)) FROM events t), (SELECT md5(string_agg(t::text, E'\\n' ORDER BY event_id)) FROM event_json t), "
    "(SELECT md5(string_agg(t::text, E'\\n' ORDER BY event_id)) FROM event_search t), (SELECT md5(string_agg(t::text, E'\\n' ORDER BY event_id)) FROM room_memberships t)";

class RedactedTextTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    database.emplace();
    sql(tables);
    db::SessionOptions options;
    options.name = "work";
    options.connection = core::Secret(database->connection());
    session.emplace(io.get_executor(), options);
  }
  void TearDown() override {
    session.reset();
    database.reset();
  }
  test::Cells sql(const std::string& text) { return database->sql().exec(text); }
  std::int64_t count(const std::string& table, const std::string& where = "true") {
    return std::stoll(sql("SELECT count(*) FROM " + table + " WHERE " + where)[0][0]);
  }
  // An event with its rows; `content` is what event_json holds of it.
  void event(const std::string& id, const std::string& content, const std::string& type = "m.room.message", const std::string& room = "!a:hs") {
    sql("INSERT INTO events VALUES ('" + id + "', '" + room + "', '" + type + "')");
    sql("INSERT INTO event_json VALUES ('" + id + "', '" + room + "', '{}', '{\"type\":\"" + type + "\",\"content\":" + content + "}')");
    sql("INSERT INTO event_search VALUES ('" + id + "', '" + room + "', '@u:hs', 'content.body', to_tsvector('word'), 1, 1)");
  }
  void redact(const std::string& id, bool looked_at = true, int days_ago = 10, const std::string& by = "") {
    sql("INSERT INTO redactions VALUES ('" + (by.empty() ? "$by_" + id.substr(1) : by) + "', '" + id + "', " + (looked_at ? "true" : "false") +
        ", (extract(epoch FROM now() - interval '" + std::to_string(days_ago) + " days') * 1000)::bigint)");
  }
  RedactedText find(RedactedChoice choice = {}) {
    auto finding = find_redacted_text(*session, std::move(choice));
    auto found = test::run(io, std::move(finding));
    if (!found) throw std::runtime_error(core::describe(found.error()));
    return *found;
  }
  std::vector<std::string> found(RedactedChoice choice = {}) {
    std::vector<std::string> ids;
    for (const RedactedEvent& each : find(std::move(choice)).events) ids.push_back(each.event_id);
    return ids;
  }
  RedactedCleaning clean(const std::vector<std::string>& ids) {
    auto work = [events = *db::bind_array(ids)](db::Transaction& transaction) { return clean_redacted_text(transaction, events); };
    auto running = session->transaction(work);
    auto cleaned = test::run(io, std::move(running));
    if (!cleaned) throw std::runtime_error(core::describe(cleaned.error()));
    return *cleaned;
  }
  std::int64_t remains(const std::string& column, const std::string& room = "") {
    db::Arguments arguments;
    arguments.emplace_back("room", room);
    auto asking = session->query(db::sql::redacted_remains, std::move(arguments));
    const auto rows = test::run(io, std::move(asking));
    if (!rows) throw std::runtime_error(core::describe(rows.error()));
    return rows->front().integer(column);
  }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<db::Session> session;
};

TEST_F(RedactedTextTest, OnlyProvenEventsAreFoundAndGo) {
  event("$censored", "{}");
  redact("$censored");
  event("$refused", R"({"body":"word"})");
  redact("$refused");
  event("$waiting", R"({"body":"word"})");
  redact("$waiting", /*looked_at=*/false);
  event("$empty_but_waiting", "{}");
  redact("$empty_but_waiting", /*looked_at=*/false);
  event("$living", R"({"body":"word"})");
  event("$empty_but_living", "{}");
  const RedactedText text = find();
  ASSERT_EQ(text.events.size(), 1U);
  EXPECT_EQ(text.events[0].event_id, "$censored");
  EXPECT_EQ(text.events[0].rows.search, 1);
  EXPECT_EQ(text.events[0].rows.sum(), 1);
  EXPECT_EQ(text.uncensored, 1);

  const RedactedCleaning cleaning = clean({"$censored", "$refused", "$waiting", "$empty_but_waiting", "$living", "$empty_but_living", "$unknown"});
  EXPECT_EQ(cleaning.rows.search, 1);
  EXPECT_EQ(cleaning.rows.sum(), 1);
  EXPECT_THAT(cleaning.kept, UnorderedElementsAre("$refused", "$waiting", "$empty_but_waiting", "$living", "$empty_but_living", "$unknown"));
  EXPECT_EQ(count("event_search"), 5);
  EXPECT_EQ(count("event_search", "event_id = '$censored'"), 0);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(RedactedTextTest, JsonThatSqlCannotCastStopsNothing) {
  event("$nul", R"({"body":"\u0000"})");
  redact("$nul");
  event("$surrogate", R"({"body":"\ud800 word"})");
  redact("$surrogate");
  event("$broken", R"({"body":)");
  redact("$broken");
  event("$censored", "{}");
  redact("$censored");
  EXPECT_THAT(found(), ElementsAre("$censored"));
  EXPECT_EQ(find().uncensored, 3);
  EXPECT_EQ(clean({"$nul", "$surrogate", "$broken", "$censored"}).rows.search, 1);
  EXPECT_EQ(count("event_search"), 3);
}

TEST_F(RedactedTextTest, LookingChangesNothing) {
  event("$censored", "{}");
  redact("$censored");
  sql("UPDATE events SET content = 'word'");
  const auto before = sql(everything);
  EXPECT_THAT(found(), ElementsAre("$censored"));
  EXPECT_EQ(sql(everything), before);
}

TEST_F(RedactedTextTest, WhatIsNoLongerCensoredSinceThePlanIsKept) {
  event("$one", "{}");
  redact("$one");
  event("$two", "{}");
  redact("$two");
  ASSERT_EQ(found().size(), 2U);
  sql("UPDATE event_json SET json = '{\"content\":{\"body\":\"word\"}}' WHERE event_id = '$one'");  // purged and fetched anew
  const auto cleaning = clean({"$one", "$two"});
  EXPECT_THAT(cleaning.kept, ElementsAre("$one"));
  EXPECT_EQ(count("event_search", "event_id = '$one'"), 1);
}

TEST_F(RedactedTextTest, ByRoomAndAge) {
  event("$a_old", "{}");
  redact("$a_old", true, 10);
  event("$a_new", "{}");
  redact("$a_new", true, 2);
  event("$b_old", "{}", "m.room.message", "!b:hs");
  redact("$b_old", true, 10);
  event("$a_unknown", "{}");
  redact("$a_unknown");
  sql("UPDATE redactions SET received_ts = NULL WHERE redacts = '$a_unknown'");
  EXPECT_EQ(found().size(), 4U);
  EXPECT_THAT(found({.room = "!a:hs", .older = {}}), UnorderedElementsAre("$a_old", "$a_new", "$a_unknown"));
  EXPECT_THAT(found({.room = "", .older = std::chrono::hours(24 * 7)}), UnorderedElementsAre("$a_old", "$b_old"));
  EXPECT_THAT(found({.room = "!b:hs", .older = std::chrono::hours(24 * 30)}), IsEmpty());
}

TEST_F(RedactedTextTest, AnEventRedactedTwiceIsOne) {
  event("$twice", "{}");
  redact("$twice");
  redact("$twice", true, 9, "$again");
  EXPECT_THAT(found(), ElementsAre("$twice"));
  event("$half", "{}");  // one of its redactions is still to be looked at: the text is gone all the same
  redact("$half");
  redact("$half", false, 1, "$later");
  EXPECT_EQ(clean({"$twice", "$half"}).rows.search, 2);
}

TEST_F(RedactedTextTest, OldColumnsOfCensoredEventsOnly) {
  event("$censored", "{}");
  redact("$censored");
  event("$refused", R"({"body":"word"})");
  redact("$refused");
  event("$living", R"({"body":"word"})");
  sql("DELETE FROM event_search");
  sql("UPDATE events SET content = '{\"body\":\"word\"}', unrecognized_keys = '{}' WHERE event_id <> '$none'");
  const RedactedText text = find();
  ASSERT_EQ(text.events.size(), 1U);
  EXPECT_EQ(text.events[0].rows.old_columns, 1);
  EXPECT_EQ(text.events[0].rows.sum(), 1);
  EXPECT_EQ(clean({"$censored", "$refused", "$living"}).rows.old_columns, 1);
  EXPECT_EQ(count("events", "content IS NULL AND unrecognized_keys IS NULL AND event_id = '$censored'"), 1);
  EXPECT_EQ(count("events", "content = '{\"body\":\"word\"}' AND unrecognized_keys = '{}'"), 2);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(RedactedTextTest, NamesOfPastMembershipsOnly) {
  for (const char* id : {"$past", "$current", "$refused", "$living"}) {
    event(id, std::string(id) == "$refused" || std::string(id) == "$living" ? R"({"membership":"join","displayname":"word"})" : R"({"membership":"join"})", "m.room.member");
    sql(std::string("INSERT INTO room_memberships VALUES ('") + id + "', '@u:hs', '!a:hs', 'join', 'word', 'mxc://hs/word')");
    if (std::string(id) != "$living") redact(id);
  }
  sql("DELETE FROM event_search");
  sql("INSERT INTO current_state_events VALUES ('$current', '!a:hs', 'm.room.member', '@u:hs', 'join')");
  EXPECT_THAT(found(), ElementsAre("$past"));
  EXPECT_EQ(clean({"$past", "$current", "$refused", "$living"}).rows.names, 1);
  EXPECT_EQ(count("room_memberships", "display_name IS NULL AND avatar_url IS NULL AND event_id = '$past' AND membership = 'join'"), 1);
  EXPECT_EQ(count("room_memberships", "display_name = 'word' AND avatar_url = 'mxc://hs/word'"), 3);
  EXPECT_EQ(remains("current_state"), 1);
}

// A page of 2000 without a find is not the end.
TEST_F(RedactedTextTest, PagesWithoutAFindGoOn) {
  sql("INSERT INTO redactions SELECT '$r' || lpad(n::text, 6, '0'), '$gone' || n, true, 1 FROM generate_series(1, 5000) n");
  event("$last", "{}");
  redact("$last", true, 10, "$s");
  event("$first", "{}");
  redact("$first", true, 10, "$a");
  EXPECT_THAT(found(), ElementsAre("$first", "$last"));
}

TEST_F(RedactedTextTest, IdsAreOpaqueText) {
  const std::string id = R"($"quoted", {brace} \ back)";
  event(id, "{}");
  redact(id, true, 10, "$r");
  EXPECT_THAT(found(), ElementsAre(id));
  EXPECT_EQ(clean({id}).rows.search, 1);
}

TEST_F(RedactedTextTest, WaitingAndRemainsAreCounted) {
  event("$soon", R"({"body":"word"})");
  redact("$soon", false, 2);
  event("$late", R"({"body":"word"})", "m.room.message", "!b:hs");
  redact("$late", false, 9);
  redact("$not_here", false, 9);
  sql("INSERT INTO event_relations VALUES ('$edit', '$soon', 'm.replace', NULL), ('$reply', '$soon', 'm.thread', NULL)");
  sql("INSERT INTO event_reports VALUES (1, 1, '!a:hs', '$soon', '@u:hs', 'r', '{}')");
  const auto waiting = [this](const std::string& room) {
    db::Arguments arguments;
    arguments.emplace_back("room", room);
    auto asking = session->query(db::sql::redacted_waiting, std::move(arguments));
    return test::run(io, std::move(asking))->front();
  };
  EXPECT_EQ(waiting("").integer("waiting"), 2);
  EXPECT_EQ(waiting("").integer("overdue"), 1);
  EXPECT_FALSE(waiting("").boolean("ever_censored"));
  EXPECT_EQ(waiting("!a:hs").integer("waiting"), 1);
  EXPECT_EQ(waiting("!a:hs").integer("overdue"), 0);
  EXPECT_EQ(remains("edits"), 1);
  EXPECT_EQ(remains("reports"), 1);
  EXPECT_EQ(remains("reports", "!b:hs"), 0);
  redact("$edit", true, 1);
  EXPECT_EQ(remains("edits"), 0);
}

}  // namespace
}  // namespace steward::commands
