// What holds for every input: nothing crashes, the canonical line reads back as itself, and a word that could have been
// --dry-run never lets a command run for real.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "command/confirmation.hpp"
#include "command/html_text.hpp"
#include "command/reading.hpp"
#include "command_specs.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

using samples::parse_line;
using samples::parse_message;

const std::vector<std::string>& pieces() {
  static const std::vector<std::string> all{"!",
                                            "clean-rooms",
                                            "purge-media",
                                            "delete-rooms",
                                            "list-rooms",
                                            "user",
                                            "room",
                                            "vacuum",
                                            "maintenance",
                                            "rooms clean",
                                            " ",
                                            " ",
                                            " ",
                                            "\n",
                                            "```",
                                            "--",
                                            "-",
                                            "—",
                                            "–",
                                            "⸺",
                                            "\"",
                                            "'",
                                            "\\",
                                            "=",
                                            ",",
                                            "30d",
                                            "30",
                                            "dry",
                                            "dry-run",
                                            "dryrun",
                                            "json",
                                            "--older",
                                            "--include",
                                            "left",
                                            "--keep",
                                            "!abc:hs",
                                            "#x",
                                            "@ann",
                                            "this",
                                            "r3",
                                            " syt_abcdefgh_ijklmnop",
                                            "=syt_abcdefgh_ijklmnop",
                                            "\u200b",
                                            "\u202e",
                                            "日本",
                                            "\xff",
                                            "https://matrix.to/#/",
                                            "matrix:u/",
                                            "%21",
                                            "<a href=\"",
                                            "</a>",
                                            "&#x;",
                                            "Steward (x): ",
                                            "> ",
                                            std::string(1, '\0')};
  return all;
}

rc::Gen<std::string> messy() {
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(
                          rc::gen::oneOf(rc::gen::elementOf(pieces()), rc::gen::string<std::string>())),
                      [](const std::vector<std::string>& parts) {
                        std::string text;
                        for (const std::string& part : parts) text += part;
                        return text;
                      });
}

RC_GTEST_PROP(CommandProperties, NoInputCrashes, ()) {
  const std::string body = *messy();
  const std::string formatted = *messy();
  const auto outcome = parse_message(body, formatted);
  if (outcome && std::holds_alternative<core::Error>(*outcome))
    RC_ASSERT(!std::get<core::Error>(*outcome).what.empty());
  const auto command = parse_message("!clean-rooms " + body, formatted);
  static_cast<void>(parse_line("purge-media " + body));
  static_cast<void>(tokenize(body));
  static_cast<void>(read_html(body));
  static_cast<void>(read_link(body));
  static_cast<void>(parse_structured(body, samples::specs(), "hs.test", "UTC"));
  static_cast<void>(read_say(body, core::EventId()));
  static_cast<void>(read_reaction(body, core::EventId("$e")));
}

RC_GTEST_PROP(CommandProperties, AnswersAreCleanText, ()) {
  const std::string body = *messy();
  const auto outcome = parse_message("!clean-rooms " + body);
  if (!outcome || !std::holds_alternative<core::Error>(*outcome)) return;
  const core::Error& error = std::get<core::Error>(*outcome);
  for (const std::string& text : {error.what, error.why, error.next}) {
    RC_ASSERT(core::is_valid_utf8(text));
    RC_ASSERT(text.find("\u202e") == std::string::npos);
    RC_ASSERT(text.find("ijklmnop") == std::string::npos);
  }
  RC_ASSERT(error.what.size() < 600U);
}

// A word made of anything, as a person would have to write it.
rc::Gen<std::string> value() {
  return rc::gen::suchThat(
      rc::gen::map(
          rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(std::vector<std::string>{
              "a", "B", "7", "-", "--", "\"", "\\", "'", " ", ",", "=", "ü", "日", "dry", "—", "!", "`", "…"})),
          [](const std::vector<std::string>& parts) {
            std::string text;
            for (const std::string& part : parts) text += part;
            return text;
          }),
      [](const std::string& text) { return !text.empty() && fold_characters(text) == text && masked(text) == text; });
}

RC_GTEST_PROP(CommandProperties, WordsSurviveQuoting, ()) {
  const auto values = *rc::gen::container<std::vector<std::string>>(value());
  std::string line;
  for (const std::string& each : values) line += quote(each) + ' ';
  const auto words = tokenize(line);
  RC_ASSERT(words.has_value());
  RC_ASSERT(words->size() == values.size());
  for (std::size_t index = 0; index < values.size(); ++index) RC_ASSERT((*words)[index].text == values[index]);
}

RC_GTEST_PROP(CommandProperties, CanonicalLinesReadBackAsThemselves, ()) {
  std::string line = "clean-rooms";
  if (*rc::gen::arbitrary<bool>()) line += " --reason " + quote(*value(), true);
  if (*rc::gen::arbitrary<bool>())
    line += *rc::gen::elementOf(std::vector<std::string>{" --older 60d", " --older=1y2mo", " --older 3 W"});
  if (*rc::gen::arbitrary<bool>()) line += *rc::gen::elementOf(std::vector<std::string>{" dry", " -n", " —dry-run"});
  if (*rc::gen::arbitrary<bool>()) line += " --keep !a,#b --keep r" + std::to_string(*rc::gen::inRange(1, 99));
  if (*rc::gen::arbitrary<bool>()) line += " --limit " + std::to_string(*rc::gen::inRange(1, 100000));
  const Outcome first = parse_line(line);
  RC_ASSERT(std::holds_alternative<Parsed>(first));
  const Parsed& parsed = std::get<Parsed>(first);
  const Outcome second = parse_line(parsed.line);
  RC_ASSERT(std::holds_alternative<Parsed>(second));
  RC_ASSERT(std::get<Parsed>(second).line == parsed.line);
  RC_ASSERT(std::get<Parsed>(second).arguments.all() == parsed.arguments.all());
  RC_ASSERT(std::get<Parsed>(second).level == parsed.level);
}

RC_GTEST_PROP(CommandProperties, TextsReadBackAsThemselves, ()) {
  const Outcome first = parse_line("list-rooms " + quote(*value(), true));
  RC_ASSERT(std::holds_alternative<Parsed>(first));
  const Outcome second = parse_line(std::get<Parsed>(first).line);
  RC_ASSERT(std::holds_alternative<Parsed>(second));
  RC_ASSERT(std::get<Parsed>(second).arguments.text("text") == std::get<Parsed>(first).arguments.text("text"));
}

// Whatever stands before "dry-run" (or a slip in it), the command is a dry run or does not run at all.
RC_GTEST_PROP(CommandProperties, NeverForRealWhenADryRunWasMeant, ()) {
  const char32_t any =
      *rc::gen::suchThat(rc::gen::map(rc::gen::inRange<std::uint32_t>(0x21, 0x30000),
                                      [](std::uint32_t c) { return static_cast<char32_t>(c); }),
                         [](char32_t c) { return (c < 0xd800 || c > 0xdfff) && c != U'"' && c != U'\'' && c != U'`'; });
  const char32_t again = *rc::gen::element(any, U'-', U'—');
  std::u32string prefix{any};
  if (*rc::gen::arbitrary<bool>()) prefix += again;
  const std::string word = core::from_code_points(prefix) +
                           *rc::gen::elementOf(std::vector<std::string>{"dry-run", "dryrun", "Dry-Run", "dry_run"});
  const std::string command = *rc::gen::elementOf(
      std::vector<std::string>{"clean-rooms", "purge-media 30d", "vacuum", "delete-rooms !a", "list-media"});
  const bool letter = (any >= U'a' && any <= U'z') || (any >= U'A' && any <= U'Z');
  // An "@" or a "#" makes it a name that somebody can have; letters and digits make it another word of a table.
  if ((letter || any == U'@' || any == U'#' || any == U'!' || any == U'$') &&
      (command == "vacuum" || command == "delete-rooms !a" || command == "list-media"))
    return;
  for (const std::string& line : {command + " " + word, command + " " + word + " --csv"}) {
    const Outcome outcome = parse_line(line);
    if (const auto* parsed = std::get_if<Parsed>(&outcome))
      RC_ASSERT(parsed->level == Level::reads && parsed->arguments.flag("dry-run"));
    const auto message = parse_message("!" + line);
    if (message && std::holds_alternative<Parsed>(*message))
      RC_ASSERT(std::get<Parsed>(*message).arguments.flag("dry-run"));
  }
}

}  // namespace
}  // namespace steward::command
