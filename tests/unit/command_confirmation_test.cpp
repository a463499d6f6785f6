// Every rule of confirming a plan (DESIGN §3), and rows 50 and 51 of the table of edge cases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command/confirmation.hpp"

namespace steward::command {
namespace {

using core::EventId;
using core::UserId;
using Kind = Verdict::Kind;
using ::testing::HasSubstr;

const UserId ann("@ann:hs.test");
const UserId bob("@bob:hs.test");
const EventId card("$card");

Waiting plan_of(int level) {
  Waiting plan;
  plan.number = 41;
  plan.level = level;
  plan.asker = ann;
  plan.card = card;
  plan.word = "1204";
  plan.is_newest_message = true;
  plan.plans_waiting = 1;
  return plan;
}

Say say(std::string_view text, const EventId& reply = EventId()) { return read_say(text, reply).value(); }
Say react(std::string_view key, const EventId& target = card) { return read_reaction(key, target).value(); }

Verdict judge_admin(const Say& said, const Waiting& plan, const UserId& who = ann, bool second = false) {
  return judge(said, plan, who, Role::admin, second);
}

TEST(Say, ReadsAnswers) {
  struct Row {
    std::string text;
    Say::Kind kind;
    Say::Way way;
    std::int64_t number;
    std::string word;
  };
  const std::vector<Row> rows{
      {"yes", Say::Kind::yes, Say::Way::bare_word, 0, ""},
      {"Yes", Say::Kind::yes, Say::Way::bare_word, 0, ""},
      {" YES. ", Say::Kind::yes, Say::Way::bare_word, 0, ""},
      {"yes!", Say::Kind::yes, Say::Way::bare_word, 0, ""},
      {"no", Say::Kind::no, Say::Way::bare_word, 0, ""},
      {"yes 41", Say::Kind::yes, Say::Way::numbered, 41, ""},
      {"!yes 41", Say::Kind::yes, Say::Way::numbered, 41, ""},
      {"yes #41", Say::Kind::yes, Say::Way::numbered, 41, ""},
      {"Yes\u00a041  212", Say::Kind::yes, Say::Way::numbered, 41, "212"},
      {"yes 41 1 204", Say::Kind::yes, Say::Way::numbered, 41, "1 204"},
      {"no 41", Say::Kind::no, Say::Way::numbered, 41, ""},
  };
  for (const Row& row : rows) {
    const auto read = read_say(row.text, EventId());
    ASSERT_TRUE(read) << row.text;
    EXPECT_EQ(read->kind, row.kind) << row.text;
    EXPECT_EQ(read->way, row.way) << row.text;
    EXPECT_EQ(read->number, row.number) << row.text;
    EXPECT_EQ(read->word, row.word) << row.text;
  }
  const auto reply = read_say("> <@steward:hs.test> Plan 41\n\nyes", card);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->way, Say::Way::reply);
  EXPECT_EQ(reply->points_at, card);
  for (const std::string text :
       {"", "ja", "y", "ok", "yes please", "yes, do it", "yesterday", "yes 0", "yes -1", "yes 41x",
        "yes 99999999999999999999", "no way", "not", "yes\nno", "!yes yes", "nope", "."})
    EXPECT_FALSE(read_say(text, EventId())) << text;
}

TEST(Say, ReadsReactions) {
  for (const std::string key : {"✅", "✅\ufe0f", "✔️", "✔", "👍", "👍🏽", "👍🏿\ufe0f"}) {
    ASSERT_TRUE(read_reaction(key, card)) << key;
    EXPECT_EQ(read_reaction(key, card)->kind, Say::Kind::yes) << key;
  }
  for (const std::string key : {"❌", "❌\ufe0f", "✖️", "👎", "👎🏻"})
    EXPECT_EQ(react(key).kind, Say::Kind::no) << key;
  for (const std::string key : {"", "❤️", "👀", "yes", "✅✅", "👍👎", "🏽"})
    EXPECT_FALSE(read_reaction(key, card)) << key;
  EXPECT_EQ(read_job_reaction("⏸️"), JobReaction::pause);
  EXPECT_EQ(read_job_reaction("🛑"), JobReaction::cancel);
  EXPECT_EQ(read_job_reaction("▶️"), JobReaction::resume);
  EXPECT_EQ(read_job_reaction("🔁"), JobReaction::retry);
  EXPECT_FALSE(read_job_reaction("⏩"));
}

TEST(Judge, AskerConfirmsLevelsTwoAndThree) {
  for (const int level : {2, 3}) {
    const Waiting plan = plan_of(level);
    for (const Say& said : {say("yes"), say("yes", card), say("yes 41"), react("✅")})
      EXPECT_EQ(judge_admin(said, plan).kind, Kind::confirm) << level;
    EXPECT_EQ(judge_admin(say("yes 41 1204"), plan).kind, Kind::explain);
  }
}

TEST(Judge, LevelFourWantsTheWord) {
  const Waiting plan = plan_of(4);
  for (const Say& said :
       {say("yes"), say("yes", card), say("yes 41"), react("✅"), say("yes 41 1205"), say("yes 41 banana")}) {
    const Verdict verdict = judge_admin(said, plan);
    EXPECT_EQ(verdict.kind, Kind::explain);
    EXPECT_THAT(verdict.text, HasSubstr("`yes 41 1204`"));
  }
  for (const Say& said : {say("yes 41 1204"), say("yes 41 1 204"), say("yes 41 1\u202f204")})
    EXPECT_EQ(judge_admin(said, plan).kind, Kind::confirm);
  Waiting named = plan;
  named.word = "Big-Room";
  EXPECT_EQ(judge_admin(say("yes 41 big-room"), named).kind, Kind::confirm);
  named.word = "";
  EXPECT_EQ(judge_admin(say("yes 41"), named).kind, Kind::explain);
}

TEST(Judge, AnotherPersonOnlyByReactionOrNumber) {
  const Waiting plan = plan_of(3);
  EXPECT_EQ(judge_admin(react("✅"), plan, bob).kind, Kind::confirm);
  EXPECT_EQ(judge_admin(say("yes 41"), plan, bob).kind, Kind::confirm);
  EXPECT_EQ(judge_admin(say("yes"), plan, bob).kind, Kind::ignore);
  EXPECT_EQ(judge_admin(say("yes", card), plan, bob).kind, Kind::explain);
  EXPECT_EQ(judge_admin(say("yes 41 1204"), plan_of(4), bob).kind, Kind::confirm);
}

TEST(Judge, OnlyTheCardCounts) {
  const Waiting plan = plan_of(3);
  EXPECT_EQ(judge_admin(react("✅", EventId("$edit-of-card")), plan).kind, Kind::ignore);
  EXPECT_EQ(judge_admin(say("yes", EventId("$chat")), plan).kind, Kind::ignore);
  EXPECT_EQ(judge_admin(say("yes 40"), plan).kind, Kind::ignore);
  Waiting unsent = plan;
  unsent.card = EventId();
  EXPECT_EQ(judge_admin(react("✅", EventId()), unsent).kind, Kind::ignore);
  EXPECT_EQ(judge_admin(say("yes 41"), unsent).kind, Kind::confirm);
}

TEST(Judge, BareYesOnlyWhenNothingElseCanBeMeant) {
  Waiting plan = plan_of(3);
  plan.plans_waiting = 2;
  EXPECT_EQ(judge_admin(say("yes"), plan).kind, Kind::ignore);
  plan.plans_waiting = 1;
  plan.is_newest_message = false;
  const Verdict verdict = judge_admin(say("yes"), plan);
  EXPECT_EQ(verdict.kind, Kind::explain);
  EXPECT_THAT(verdict.text, HasSubstr("`yes 41`"));
  EXPECT_EQ(judge_admin(say("yes", card), plan).kind, Kind::confirm);
}

TEST(Judge, ExpiredPlansAreNotConfirmed) {
  for (const int level : {2, 3, 4}) {
    Waiting plan = plan_of(level);
    plan.expired = true;
    for (const Say& said : {say("yes"), say("yes", card), say("yes 41"), say("yes 41 1204"), react("✅")})
      EXPECT_EQ(judge_admin(said, plan).kind, Kind::explain);
    EXPECT_THAT(judge_admin(say("yes 41 1204"), plan).text, HasSubstr("expired"));
  }
  EXPECT_EQ(confirmation_time, std::chrono::minutes(10));
}

TEST(Judge, RolesAreLookedAtNow) {
  EXPECT_EQ(judge(react("✅"), plan_of(3), bob, Role::none, false).kind, Kind::ignore);
  EXPECT_EQ(judge(say("no 41"), plan_of(3), bob, Role::none, false).kind, Kind::ignore);
  EXPECT_EQ(judge(say("yes 41"), plan_of(3), ann, Role::operator_, false).kind, Kind::explain);
  EXPECT_EQ(judge(say("yes 41"), plan_of(2), ann, Role::operator_, false).kind, Kind::confirm);
  EXPECT_EQ(judge(say("yes 41"), plan_of(2), ann, Role::reader, false).kind, Kind::explain);
  EXPECT_EQ(judge(say("yes 41 1204"), plan_of(4), ann, Role::operator_, false).kind, Kind::explain);
}

TEST(Judge, SecondAdminWhereDemanded) {
  const Verdict alone = judge_admin(say("yes 41 1204"), plan_of(4), ann, true);
  EXPECT_EQ(alone.kind, Kind::explain);
  EXPECT_THAT(alone.text, HasSubstr("another admin"));
  EXPECT_EQ(judge_admin(say("yes 41 1204"), plan_of(4), bob, true).kind, Kind::confirm);
  EXPECT_EQ(judge(say("yes 41 1204"), plan_of(4), bob, Role::operator_, true).kind, Kind::explain);
  EXPECT_EQ(judge_admin(say("yes 41"), plan_of(3), ann, true).kind, Kind::confirm);
}

TEST(Judge, AnybodyWithARoleMayDecline) {
  for (const int level : {2, 3, 4}) {
    Waiting plan = plan_of(level);
    plan.is_newest_message = false;
    EXPECT_EQ(judge(react("❌"), plan, bob, Role::reader, true).kind, Kind::decline);
    EXPECT_EQ(judge(say("no 41"), plan, bob, Role::reader, false).kind, Kind::decline);
    EXPECT_EQ(judge(say("no", card), plan, bob, Role::operator_, false).kind, Kind::decline);
    EXPECT_EQ(judge(say("no"), plan, ann, Role::admin, false).kind, Kind::decline);
    EXPECT_EQ(judge(say("no"), plan, bob, Role::admin, false).kind, Kind::ignore);
  }
}

}  // namespace
}  // namespace steward::command
