#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "config/registration.hpp"
#include "core/text.hpp"

namespace steward::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string good =
    "id: \"steward\"\nurl: \"http://127.0.0.1:29340\"\nas_token: \"as_secret\"\nhs_token: \"hs_secret\"\n"
    "sender_localpart: _steward_as\nrate_limited: false\nio.element.msc4190: true\n"
    "namespaces:\n  users:\n    - exclusive: true\n      regex: '^@steward:hs\\.test$'\n  aliases: []\n";

std::string with(const std::string& from, const std::string& to) {
  std::string yaml = good;
  const auto at = yaml.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return yaml.replace(at, from.size(), to);
}

TEST(Registration, ReadsAGoodOne) {
  EXPECT_THAT(check_registration(good), IsEmpty());
  const auto r = parse_registration(good);
  ASSERT_TRUE(r) << describe(r.error());
  EXPECT_EQ(r->id, "steward");
  EXPECT_EQ(r->url, "http://127.0.0.1:29340");
  EXPECT_EQ(r->as_token.reveal(), "as_secret");
  EXPECT_EQ(r->hs_token.reveal(), "hs_secret");
  EXPECT_EQ(r->sender_localpart, "_steward_as");
  EXPECT_FALSE(r->rate_limited);
  EXPECT_TRUE(r->msc4190);
  EXPECT_THAT(r->users, ElementsAre(Namespace{"^@steward:hs\\.test$", true}));
}

TEST(Registration, FindsWhatWouldStopSynapse) {
  const std::vector<std::pair<std::string, std::string>> table{
      {with("id: \"steward\"\n", ""), "id: missing"},
      {with("\"steward\"", "12"), "line 1, id: expected text"},
      {with("\"steward\"", "2026-11-23"), "line 1, id: expected text"},
      {with("\"steward\"", "a|b"), "line 1, id: must not hold a |"},
      {with("\"as_secret\"", "yes"), "line 3, as_token: expected text"},
      {with("\"as_secret\"", "\"\""), "line 3, as_token: is empty"},
      {with("\"as_secret\"", "[a]"), "line 3, as_token: expected text in \"quotes\", found a list"},
      {with("\"as_secret\"", "\"a b\""), "line 3, as_token: holds a blank"},
      {with("\"hs_secret\"", "\"as_secret\""), "line 4, hs_token: is the same as as_token"},
      {with("hs_token: \"hs_secret\"\n", ""), "hs_token: missing"},
      {with("url: \"http://127.0.0.1:29340\"\n", ""), "url: missing"},
      {with("\"http://127.0.0.1:29340\"", "null"), "url: is null"},
      {with("\"http://127.0.0.1:29340\"", "\"unix:/x\""), "line 2, url: expected"},
      {with("_steward_as", "\"@steward:hs\""), "line 5, sender_localpart: may only hold"},
      {with("_steward_as", "\"stewärd\""), "sender_localpart: may only hold"},
      {with("rate_limited: false", "rate_limited: \"false\""), "line 6, rate_limited: expected true or false"},
      {with("exclusive: true", "exclusive: \"true\""), "namespaces.users.exclusive: expected true or false"},
      {with("    - exclusive: true\n      regex", "    - regex"), "namespaces.users.exclusive: expected true or false"},
      {with("'^@steward:hs\\.test$'", "5"), "namespaces.users.regex: expected text"},
      {with("aliases: []", "aliases:"), "namespaces.aliases: expected a list"},
      {with("aliases: []", "aliases: [x]"), "namespaces.aliases: expected an entry"},
      {good.substr(0, good.find("namespaces")), "namespaces: missing"},
      {good.substr(0, good.find("namespaces")) + "namespaces: []\n", "namespaces: expected users"},
      {good + "ip_range_whitelist: [localhost]\n", "ip_range_whitelist: expected an address"},
      {good + "id: other\n", "'id': stands there twice"},
      {"", "holds no keys"},
      {"[1, 2", "not valid YAML"},
  };
  for (const auto& [yaml, problem] : table) {
    const auto problems = check_registration(yaml);
    EXPECT_THAT(core::join(problems, "\n"), HasSubstr(problem)) << yaml;
    EXPECT_THAT(core::join(problems, "\n"), Not(HasSubstr("secret"))) << yaml;
    EXPECT_FALSE(parse_registration(yaml)) << yaml;
  }
}

TEST(Registration, NamesExactlyOneUser) {
  EXPECT_EQ(exact_user_regex("steward", "hs.test"), "^@steward:hs\\.test$");
  EXPECT_EQ(exact_user_regex("a.b+c", "[::1]:8448"), "^@a\\.b\\+c:\\[::1\\]:8448$");
}

TEST(Registration, ANewOneIsGood) {
  Registration made = new_registration("steward", "hs.test", "http://127.0.0.1:29340");
  made.ip_range_whitelist = {"127.0.0.1/32", "::1"};
  const std::string text = render_registration(made);
  EXPECT_THAT(check_registration(text), IsEmpty());
  EXPECT_THAT(text, HasSubstr("regex: '^@steward:hs\\.test$'"));
  EXPECT_THAT(text, HasSubstr("sender_localpart: \"_steward_as\""));
  EXPECT_THAT(text, HasSubstr("rate_limited: false"));
  EXPECT_THAT(text, HasSubstr("io.element.msc4190: true"));
  const auto again = parse_registration(text);
  ASSERT_TRUE(again);
  EXPECT_THAT(again->ip_range_whitelist, ElementsAre("127.0.0.1/32", "::1"));
  EXPECT_NE(again->as_token.reveal(), new_registration("steward", "hs.test", "http://x").as_token.reveal());
}

RC_GTEST_PROP(RegistrationProperty, ReadsBackWhatItRenders, ()) {
  const auto printable = rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('!', '~')));
  Registration made = new_registration("steward", "hs.test", "http://127.0.0.1:29340");
  made.as_token = core::Secret("a" + *printable);
  made.hs_token = core::Secret("h" + *printable);
  made.users = {Namespace{*printable, *rc::gen::arbitrary<bool>()}, Namespace{*printable, true}};
  made.rate_limited = *rc::gen::arbitrary<bool>();
  const auto again = parse_registration(render_registration(made));
  RC_ASSERT(again.has_value());
  RC_ASSERT(again->id == made.id);
  RC_ASSERT(again->url == made.url);
  RC_ASSERT(again->as_token.reveal() == made.as_token.reveal());
  RC_ASSERT(again->hs_token.reveal() == made.hs_token.reveal());
  RC_ASSERT(again->users == made.users);
  RC_ASSERT(again->aliases.empty() && again->rooms.empty());
  RC_ASSERT(again->rate_limited == made.rate_limited);
  RC_ASSERT(again->msc4190 == made.msc4190);
}

}  // namespace
}  // namespace steward::config
