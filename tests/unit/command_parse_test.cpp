// From a line to typed arguments or a refusal: names, flags, values, levels, carets, structured commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_specs.hpp"

namespace steward::command {
namespace {

using samples::parse_line;
using samples::specs;
using samples::told;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string line_of(std::string line) { return told(parse_line(std::move(line))); }

core::Error error_of(std::string line) {
  const Outcome outcome = parse_line(line);
  const auto* error = std::get_if<core::Error>(&outcome);
  if (error == nullptr) {
    ADD_FAILURE() << line << " was understood: " << told(outcome);
    return {};
  }
  EXPECT_EQ(error->code, core::Code::bad_input) << line;
  return *error;
}

Parsed parsed(std::string line) {
  Outcome outcome = parse_line(line);
  if (auto* found = std::get_if<Parsed>(&outcome)) return std::move(*found);
  ADD_FAILURE() << line << ": " << told(outcome);
  return {};
}

TEST(Parse, FindsTheCommand) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"clean-rooms", "clean-rooms"},
      {"CLEAN_ROOMS", "clean-rooms"},
      {"clean–rooms", "clean-rooms"},
      {"clean-room", "clean-rooms"},
      {"rooms clean", "clean-rooms"},
      {"room clean", "clean-rooms"},  // `room` wants a room, and "clean" is none
      {"clean rooms", "clean-rooms"},
      {"cr", "clean-rooms"},
      {"media purge 30d", "purge-media 30d"},
      {"purge media 30d", "purge-media 30d"},
      {"user suspend @ann", "suspend-user @ann:hs.test"},
      {"user @suspend", "user @suspend:hs.test"},
      {"suspend-users ann", "suspend-user @ann:hs.test"},
      {"user ann", "user @ann:hs.test"},
      {"help clean-rooms", "help clean-rooms"},
      {"help rooms clean", "help \"rooms clean\""},
      {"delete-room !a", "delete-rooms !a"},
  };
  for (const auto& [line, expected] : rows) EXPECT_EQ(line_of(line), expected) << line;
}

TEST(Parse, UnknownCommands) {
  EXPECT_EQ(line_of("clean-romos"), "? clean-rooms");
  EXPECT_EQ(line_of("purgemedia 30d"), "? purge-media");
  EXPECT_EQ(line_of("hlep"), "? help");
  EXPECT_EQ(line_of("banana"), "?");
  EXPECT_EQ(line_of("xy"), "?");
  EXPECT_EQ(line_of(""), "?");
}

TEST(Parse, FlagsInAllTheirForms) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"clean-rooms --dry-run", "clean-rooms --dry-run"},
      {"clean-rooms -n", "clean-rooms --dry-run"},
      {"clean-rooms dry", "clean-rooms --dry-run"},
      {"clean-rooms Dry csv", "clean-rooms --dry-run --csv"},
      {"clean-rooms --DRY_RUN", "clean-rooms --dry-run"},
      {"purge-media 30d dry", "purge-media 30d --dry-run"},
      {"purge-media dry 30d", "purge-media 30d --dry-run"},
      {"purge-media --dry-run 30d", "purge-media 30d --dry-run"},
      {"clean-rooms --older=60d", "clean-rooms --older 60d"},
      {"clean-rooms --older 60 d --limit 5", "clean-rooms --older 60d --limit 5"},
      {"clean-rooms --include left,aliased", "clean-rooms --include left --include aliased"},
      {"clean-rooms --include left --include=aliased", "clean-rooms --include left --include aliased"},
      {"clean-rooms --keep !a,#b --keep r3", "clean-rooms --keep !a --keep #b:hs.test --keep r3"},
      {"clean-rooms --method API", "clean-rooms --method api"},
      {"clean-rooms --reason \"too big, too old\"", "clean-rooms --reason \"too big, too old\""},
      {"clean-rooms --reason=\"a \\\"b\\\" — c\"", "clean-rooms --reason \"a \\\"b\\\" — c\""},
      {"purge-media 30d --min-size 10 MB", "purge-media 30d --min-size 10MB"},
      {"list-rooms json", "list-rooms json"},  // a text could be meant
      {"list-rooms --json", "list-rooms --json"},
      {"list-rooms big old --empty room", ""},
      {"report chart", "report --chart"},
      {"report daily chart", "report daily --chart"},
      {"maintenance clean-rooms --dry-run --older 3d", "maintenance clean-rooms --dry-run --older 3d"},
      {"list-media !abc", "list-media !abc"},
      {"list-media @ann !abc json", "list-media @ann:hs.test !abc --json"},
      {"list-media dry", "list-media --dry-run"},
  };
  for (const auto& [line, expected] : rows) {
    if (expected.empty())
      error_of(line);
    else
      EXPECT_EQ(line_of(line), expected) << line;
  }
}

TEST(Parse, EveryWordMustBeUnderstood) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"clean-rooms dryrun", "Did you mean `--dry-run`?"},
      {"clean-rooms dry-run", "Did you mean `--dry-run`?"},
      {"clean-rooms --dryrun", "Did you mean `--dry-run`?"},
      {"clean-rooms --dry-rum", "Did you mean `--dry-run`?"},
      {"clean-rooms -dry-run", "Did you mean `--dry-run`?"},
      {"clean-rooms ---dry-run", "Did you mean `--dry-run`?"},
      {"clean-rooms -x", "knows"},
      {"clean-rooms -", "one word too many"},
      {"clean-rooms --", ""},
      {"clean-rooms banana", "one word too many"},
      {"clean-rooms older=30d", "--older AGE"},
      {"clean-rooms --dry-run=no", "takes no value"},
      {"clean-rooms --dry-run --dry-run", "twice"},
      {"clean-rooms dry -n", "twice"},
      {"clean-rooms --older 3d --older 4d", "twice"},
      {"clean-rooms --older", "needs a value"},
      {"clean-rooms --older --dry-run", "needs a value"},
      {"clean-rooms --older=", "empty value"},
      {"clean-rooms --include left,,aliased", "empty value"},
      {"clean-rooms --include lefd", "Did you mean `left`?"},
      {"clean-rooms --include invited", "left, aliased, published"},
      {"clean-rooms --limit 0", "from 1"},
      {"clean-rooms --limit -5", "from 1"},
      {"clean-rooms --limit 5x", "whole number"},
      {"clean-rooms --json --csv", "exclude each other"},
      {"purge-media 30d --remote --both", "exclude each other"},
      {"purge-media 30d --min-size banana", "not a size"},
      {"purge-media 30d --min-size 5", "no unit"},
      {"purge-media", "<age> is missing"},
      {"purge-media --dry-run", "<age> is missing"},
      {"purge-media 30d 40d", "one word too many"},
      {"purge-media 30d,40d", "comma"},
      {"delete-rooms !a,!b", "comma"},
      {"delete-rooms !a !a", "twice"},
      {"delete-rooms", "<rooms> is missing"},
      {"delete-rooms this", "message replied to"},
      {"room banana", "not a room"},
      {"room u2", "not a room"},
      {"job four", "whole number"},
      {"event banana", "not a message"},
      {"server https://x", "not a server name"},
      {"media banana", "not a file"},
      {"user rooms", "word of the bot's commands"},
      {"user Ann Smith", "one word too many"},
      {"report monthly", "daily, weekly"},
      {"report --since 31.1.2026", "not a date"},
      {"purge-media \"30d", "quote is not closed"},
      {"purge-media \"30d\"x", "closing quote"},
      {"vacuum dry-run", "Did you mean `--dry-run`?"},
      {"vacuum dryrun", "Did you mean `--dry-run`?"},
      {"vacuum ·dry-run", "Did you mean `--dry-run`?"},
      {"list-media dryrun", "Did you mean `--dry-run`?"},
  };
  for (const auto& [line, expected] : rows) {
    const core::Error error = error_of(line);
    EXPECT_THAT(error.what + " | " + error.why + " | " + error.next, HasSubstr(expected)) << line;
  }
}

TEST(Parse, AgesNeedUnitsAndEnoughOfThem) {
  const core::Error bare = error_of("purge-media 30");
  EXPECT_EQ(bare.next, "Write 30d for 30 days or 30mo for 30 months.");
  EXPECT_THAT(error_of("clean-rooms --older 30").next, HasSubstr("30d for 30 days or 30m for 30 minutes"));
  const core::Error minutes = error_of("purge-media 30m");
  EXPECT_THAT(minutes.what, HasSubstr("too short"));
  EXPECT_THAT(minutes.why, HasSubstr("30 min"));
  EXPECT_THAT(minutes.next, HasSubstr("30mo for 30 months"));
  error_of("purge-media 0d");
  error_of("purge-media -5d");
  error_of("purge-media −5d");
  error_of("purge-media 99999999999d");
  error_of("purge-media ٣٠d");
  // A moment in seconds or milliseconds is no age.
  for (const char* moment : {"1767225600", "1767225600000", "1767225600000d"}) error_of(std::string("purge-media ") + moment);
  EXPECT_EQ(parsed("purge-media 1d12h").arguments.age("age"), std::chrono::hours(36));
}

TEST(Parse, CaretStandsUnderTheWrongWord) {
  EXPECT_THAT(error_of("clean-rooms dryrun").what, HasSubstr("\n!clean-rooms dryrun\n             ^^^^^^"));
  EXPECT_THAT(error_of("purge-media 30d --remote --csv --bananas").what,
              HasSubstr("\n--remote --csv --bananas\n               ^^^^^^^^^"));
  EXPECT_THAT(error_of("purge-media").what, HasSubstr("\n!purge-media \n             ^"));
  EXPECT_THAT(error_of("clean-rooms 日本").what, HasSubstr("\n!clean-rooms 日本\n             ^^^^"));
}

TEST(Parse, EchoesMaskSecretsAndStayNarrow) {
  const std::string token = "syt_" + std::string("YWRtaW4_AbCdEfGhIjKlMnOpQrSt_1a2b3c");
  for (const std::string& line :
       {"clean-rooms " + token, "clean-rooms --token=" + token, "clean-rooms " + token + " --older 5d",
        "clean-rooms --key=" + token, "clean-rooms --limit " + token, "clean-rooms --older x:" + token,
        "clean-rooms --include left," + token, "room (" + token + ")"}) {
    const core::Error error = error_of(line);
    EXPECT_THAT(core::describe(error), Not(HasSubstr("YWRtaW4"))) << line;
  }
  EXPECT_EQ(parsed("clean-rooms --reason " + token).line, "clean-rooms --reason ***");
  EXPECT_EQ(parsed("clean-rooms --reason \"his password=hunter2 is known\"").line,
            "clean-rooms --reason \"his *** is known\"");
  const core::Error error = error_of("clean-rooms " + std::string(3000, 'x'));
  EXPECT_LT(error.what.size(), 250U);
  EXPECT_THAT(error_of("clean-rooms </code><a>\u200f").what, Not(HasSubstr("\u200f")));
}

TEST(Parse, LevelsFollowTheFlags) {
  EXPECT_EQ(parsed("purge-media 30d").level, Level::deletes);
  EXPECT_EQ(parsed("purge-media 30d --remote").level, Level::slows);
  EXPECT_EQ(parsed("purge-media 30d --both").level, Level::deletes);
  EXPECT_EQ(parsed("purge-media 30d --remote --dry-run").level, Level::reads);
  EXPECT_EQ(parsed("clean-rooms --dry-run --force").level, Level::reads);
  EXPECT_EQ(parsed("clean-rooms --force").level, Level::destroys);
}

TEST(Parse, ValuesAreTyped) {
  const Parsed purge = parsed("purge-media 30d --min-size 10M --user ann");
  EXPECT_EQ(purge.arguments.age("age"), std::chrono::hours(24 * 30));
  EXPECT_EQ(purge.arguments.size("min-size")->count, 10 * 1024 * 1024);
  EXPECT_EQ(purge.arguments.user("user")->str(), "@ann:hs.test");
  EXPECT_FALSE(purge.arguments.flag("remote"));
  EXPECT_FALSE(purge.arguments.has("csv"));
  EXPECT_THROW(static_cast<void>(purge.arguments.has("nothing")), std::logic_error);
  EXPECT_THROW(static_cast<void>(purge.arguments.user("age")), std::logic_error);

  const Parsed clean = parsed("clean-rooms --keep !a,!b:hs.test:8448 --reason \"x  y\"");
  EXPECT_THAT(clean.arguments.list("keep"), ElementsAre("!a", "!b:hs.test:8448"));
  EXPECT_EQ(clean.arguments.text("reason"), "x  y");
  EXPECT_EQ(clean.arguments.text("method"), "api");
  EXPECT_EQ(clean.arguments.age("older"), std::chrono::hours(24 * 30));
  EXPECT_FALSE(clean.arguments.has("older"));

  EXPECT_EQ(parsed("report --since 2026-01-31").arguments.date("since")->time_since_epoch(),
            std::chrono::milliseconds(1769814000000));  // midnight in Berlin
  EXPECT_EQ(parsed("report --since 2026-01-31").line, "report --since 2026-01-31");
}

TEST(Parse, RoomsUsersEventsAndFilesInAllForms) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"room !OGEhHVWSdvArJzumhm", "!OGEhHVWSdvArJzumhm"},
      {"room !8UkqMnym0typt3OyYm1_JG3hCd1-xf_Or1oiXLsMhNo", "!8UkqMnym0typt3OyYm1_JG3hCd1-xf_Or1oiXLsMhNo"},
      {"room !abc:server:8448", "!abc:server:8448"},
      {"room #general", "#general:hs.test"},
      {"room #general:other.org", "#general:other.org"},
      {"room R3", "r3"},
      {"room https://matrix.to/#/%21abc%3Ahs.test?via=hs.test&via=b", "!abc:hs.test"},
      {"room https://matrix.to/#/!abc/$event?via=hs.test", "!abc"},
      {"room https://matrix.to/#/%23general%3Ahs.test", "#general:hs.test"},
      {"room matrix:roomid/abc:hs.test?via=x", "!abc:hs.test"},
      {"room matrix:r/general:hs.test", "#general:hs.test"},
      {"room matrix:roomid/8UkqMnym0typt3OyYm1_JG3hCd1-xf_Or1oiXLsMhNo",
       "!8UkqMnym0typt3OyYm1_JG3hCd1-xf_Or1oiXLsMhNo"},
      {"user @ann", "@ann:hs.test"},
      {"user ann.smith", "@ann.smith:hs.test"},
      {"user @ann:other.org:8448", "@ann:other.org:8448"},
      {"user https://matrix.to/#/@ann:hs.test", "@ann:hs.test"},
      {"user u2", "u2"},
      {"user @u2", "@u2:hs.test"},
      {"user this", "this"},
      {"event $abc", "$abc"},
      {"event this", "this"},
      {"event https://matrix.to/#/!r:hs.test/$abc:hs.test?via=a", "$abc:hs.test"},
      {"media mxc://hs.test/AbC", "mxc://hs.test/AbC"},
      {"media https://hs.test/_matrix/media/v3/download/hs.test/AbC?x=1", "mxc://hs.test/AbC"},
      {"media https://hs.test/_matrix/client/v1/media/thumbnail/other.org/AbC", "mxc://other.org/AbC"},
      {"media m5", "m5"},
      {"media this", "this"},
      {"server hs.test:8448", "hs.test:8448"},
  };
  for (const auto& [line, expected] : rows) {
    const Parsed found = parsed(line);
    ASSERT_NE(found.spec, nullptr) << line;
    EXPECT_EQ(found.arguments.text(found.spec->arguments.front().name), expected) << line;
  }
}

TEST(Parse, StructuredCommands) {
  const auto structured = [](std::string_view json) { return told(parse_structured(json, specs(), "hs.test", "UTC")); };
  EXPECT_EQ(structured(R"({"command":"purge-media","arguments":{"age":"30d","dry_run":true,"min_size":"10M"}})"),
            "purge-media 30d --min-size 10M --dry-run");
  EXPECT_EQ(
      structured(R"({"command":"clean_rooms","arguments":{"include":["left","aliased"],"limit":5,"force":false}})"),
      "clean-rooms --limit 5 --include left --include aliased");
  EXPECT_EQ(structured(R"({"command":"room","arguments":{"room":{"id":"!a:hs.test","via":["hs.test"]}}})"),
            "room !a:hs.test");
  EXPECT_EQ(structured(R"({"command":"list-rooms","arguments":{"text":"--json"}})"), "list-rooms \"--json\"");
  EXPECT_EQ(structured(R"({"command":"banana"})"), "?");
  for (const std::string_view wrong :
       {"", "[]", "{}", R"({"command":5})", R"({"command":"purge-media","arguments":[]})",
        R"({"command":"purge-media","arguments":{"age":30}})",
        R"({"command":"purge-media","arguments":{"age":"30d","dry_run":"yes"}})",
        R"({"command":"purge-media","arguments":{"age":"30d","bananas":true}})",
        R"({"command":"purge-media","arguments":{"age":["30d"]}})"})
    EXPECT_THAT(structured(wrong), StartsWith("! ")) << wrong;
}

}  // namespace
}  // namespace steward::command
