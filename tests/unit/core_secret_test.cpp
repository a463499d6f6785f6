#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/secret.hpp"

namespace steward::core {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Error, ReadsAsOneLine) {
  EXPECT_EQ(describe(Error{Code::not_found, "no such room", "Synapse does not know it", "Look at !list-rooms.",
                           "M_NOT_FOUND"}),
            "no such room: Synapse does not know it (M_NOT_FOUND). Look at !list-rooms.");
  EXPECT_EQ(describe(Error{Code::internal, "broken", "", "", ""}), "broken");
  EXPECT_EQ(describe(Error{Code::internal, "broken.", "", "Try again.", ""}), "broken. Try again.");
  EXPECT_EQ(describe(Error{}), "unknown error");
  EXPECT_TRUE(is_temporary(Error{Code::timeout, "", "", "", ""}));
  EXPECT_TRUE(is_temporary(Error{Code::unavailable, "", "", "", ""}));
  EXPECT_FALSE(is_temporary(Error{Code::in_doubt, "", "", "", ""}));
}

TEST(Secret, IsNeverPrinted) { EXPECT_EQ(fmt::format("{}", Secret("hunter2hunter2")), "***"); }

TEST(Secret, ComparesWholeTexts) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("token", "token"));
  EXPECT_FALSE(equal_in_constant_time("token", "tokem"));
  EXPECT_FALSE(equal_in_constant_time("token", "token1"));
  EXPECT_FALSE(equal_in_constant_time("token", std::string("token\0", 6)));
}

TEST(Secret, HashesLikeEverybody) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Secret, MakesFreshTokens) {
  std::set<std::string> tokens;
  std::set<char> letters;
  for (int i = 0; i < 200; ++i) {
    const std::string token = random_token(64);
    EXPECT_EQ(token.size(), 64U);
    EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
              std::string::npos);
    letters.insert(token.begin(), token.end());
    tokens.insert(token);
  }
  EXPECT_EQ(tokens.size(), 200U);
  EXPECT_EQ(letters.size(), 62U);
  EXPECT_EQ(random_token(0), "");
}

TEST(WithoutSecrets, MasksKnownAndLikelyOnes) {
  remember_secret(Secret("topsecretvalue"));
  remember_secret(Secret("topsecretvalue-and-more"));
  remember_secret(Secret("abc"));  // too short: would blank ordinary words
  remember_secret(Secret(""));
  const std::vector<std::pair<std::string, std::string>> table{
      {"x topsecretvalue y topsecretvalue", "x *** y ***"},
      {"topsecretvalue-and-more", "***"},
      {"abc stays", "abc stays"},
      {"GET /x?access_token=sytabc&y=1", "GET /x?access_token=***&y=1"},
      {"host=db user=x password=hunter2 dbname=y", "host=db user=x password=*** dbname=y"},
      {"password='a b c' x", "password='***' x"},
      {"{\"password\": \"hunter2\", \"a\": 1}", "{\"password\": \"***\", \"a\": 1}"},
      {"{\"access_token\":\"abc\"}", "{\"access_token\":\"***\"}"},
      {"postgresql://steward:hunter2@db:5432/synapse", "postgresql://steward:***@db:5432/synapse"},
      {"Authorization: Bearer abcdefgh", "Authorization: Bearer ***"},
      {"token syt_YWxp_abc_123 is bad", "token *** is bad"},
      {"as_token: missing", "as_token: missing"},
      {"see https://matrix.to/#/@alice:hs.test", "see https://matrix.to/#/@alice:hs.test"},
      {"http://127.0.0.1:8008/x@y", "http://127.0.0.1:8008/x@y"},
      {"", ""},
      {"password=", "password="},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(without_secrets(text), expected);
}

RC_GTEST_PROP(WithoutSecretsProperty, LeavesNoPassword, ()) {
  const auto password = *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('a', 'z')));
  const std::string marked = "Q7" + password + "Z9";
  for (const std::string& text :
       {"password=" + marked, "x access_token=" + marked + "&a=b", "pg://u:" + marked + "@h/d"}) {
    RC_ASSERT(without_secrets(text).find(marked) == std::string::npos);
  }
}

RC_GTEST_PROP(WithoutSecretsProperty, EndsOnAnyText, ()) {
  const auto parts = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "password", "=", ":", "\"", "'", " ", "://", "@", "/", "syt_", "Bearer ", "***", "x", "access_token", "secret"));
  std::string text;
  for (const std::string& part : parts) text += part;
  RC_ASSERT(without_secrets(text).size() <= text.size() * 4 + 3);
}

std::string logged(LogLevel level, std::string_view text) {
  testing::internal::CaptureStderr();
  write_log(level, "test", text);
  return testing::internal::GetCapturedStderr();
}

TEST(Log, WritesOneLineWithTheTimeInUtc) {
  const std::string line = logged(LogLevel::warning, "room={} job=4");
  EXPECT_TRUE(
      std::regex_match(line, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning test room=\{\} job=4\n)")))
      << line;
}

TEST(Log, CannotBeForged) {
  const std::string line =
      logged(LogLevel::error, "a\n2026-01-01T00:00:00.000Z error fake\r\x1b[2J\u202e\u0085\u009b\t\xff end");
  EXPECT_THAT(line, HasSubstr("a | 2026-01-01T00:00:00.000Z error fake[2J \uFFFD end\n"));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(Log, HidesSecrets) {
  const std::string line = logged(LogLevel::error, "call failed access_token=syt_abcdefgh_12");
  EXPECT_THAT(line, HasSubstr("access_token=***"));
  EXPECT_THAT(line, Not(HasSubstr("abcdefgh")));
}

TEST(Log, KeepsToItsLevel) {
  set_log_level(LogLevel::warning);
  EXPECT_EQ(logged(LogLevel::info, "quiet"), "");
  EXPECT_FALSE(log_enabled(LogLevel::debug));
  set_log_level(LogLevel::debug);
  EXPECT_THAT(logged(LogLevel::debug, "loud"), HasSubstr(" debug test loud\n"));
  set_log_level(LogLevel::info);
  testing::internal::CaptureStderr();
  log_info("test", "rooms={} name={}", 3, "x");
  log_debug("test", "not {}", "shown");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(" info test rooms=3 name=x\n"));
}

}  // namespace
}  // namespace steward::core
