#include "command/confirmation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "command/reading.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

constexpr int deletes_for_good = static_cast<int>(Level::destroys);

// Reactions differ only by the emoji form (U+FE0F) and the skin tone of the phone they come from.
std::u32string bare_emoji(std::string_view key) {
  std::u32string points = core::to_code_points(key);
  std::erase_if(points, [](char32_t c) { return c == 0xfe0e || c == 0xfe0f || (c >= 0x1f3fb && c <= 0x1f3ff); });
  return points;
}

std::optional<std::int64_t> plan_number(std::string_view text) {
  if (text.starts_with('#')) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

// "1 204" with any kind of space is 1204, and a name is typed in any case.
std::string comparable(std::string_view word) {
  std::string text = core::to_lower_ascii(fold_characters(word));
  std::erase(text, ' ');
  return text;
}

Role role_for(int level) { return level >= static_cast<int>(Level::deletes) ? Role::admin : Role::operator_; }

Verdict explain(std::string text) { return {Verdict::Kind::explain, std::move(text)}; }
Verdict ignore() { return {}; }

std::string words_to_type(const Waiting& plan) { return fmt::format("`yes {} {}`", plan.number, plan.word); }

// Whether what was said is about this plan at all.
bool is_about(const Say& say, const Waiting& plan, const core::UserId& who) {
  switch (say.way) {
    case Say::Way::numbered:
      return say.number == plan.number;
    case Say::Way::reply:
    case Say::Way::reaction:
      return !plan.card.empty() && say.points_at == plan.card;
    case Say::Way::bare_word:
      return who == plan.asker && plan.plans_waiting == 1;
  }
  return false;
}

Verdict judge_word(const Say& say, const Waiting& plan) {
  if (plan.level < deletes_for_good) {
    if (say.word.empty()) return {Verdict::Kind::confirm, {}};
    return explain(fmt::format("Plan {} needs no word: `yes {}`, or ✅ on its card.", plan.number, plan.number));
  }
  if (say.way == Say::Way::numbered && !say.word.empty() && comparable(say.word) == comparable(plan.word)) {
    return {Verdict::Kind::confirm, {}};
  }
  const std::string wrong =
      say.word.empty() ? "" : fmt::format("{} is not the word of plan {}. ", echo(say.word), plan.number);
  return explain(fmt::format("{}Plan {} deletes for good or concerns the whole server. To confirm it, type {}", wrong,
                             plan.number, words_to_type(plan)));
}

}  // namespace

std::optional<Say> read_say(std::string_view text, const core::EventId& in_reply_to) {
  std::string folded = fold_characters(without_reply_fallback(text));
  std::string_view rest = core::trim(folded);
  if (rest.starts_with('!')) rest = core::trim(rest.substr(1));
  if (rest.empty() || rest.find('\n') != std::string_view::npos) return std::nullopt;
  const auto first_end = std::min(rest.find(' '), rest.size());
  std::string answer = core::to_lower_ascii(rest.substr(0, first_end));
  rest = core::trim(rest.substr(first_end));
  if (rest.empty() && answer.find_first_of(".!") == answer.size() - 1) answer.pop_back();
  Say say;
  if (answer == "no") {
    say.kind = Say::Kind::no;
  } else if (answer != "yes") {
    return std::nullopt;
  }
  if (rest.empty()) {
    say.way = in_reply_to.empty() ? Say::Way::bare_word : Say::Way::reply;
    say.points_at = in_reply_to;
    return say;
  }
  const auto number_end = std::min(rest.find(' '), rest.size());
  const auto number = plan_number(rest.substr(0, number_end));
  if (!number) return std::nullopt;
  say.way = Say::Way::numbered;
  say.number = *number;
  say.word = std::string(core::trim(rest.substr(number_end)));
  return say;
}

std::string fold_reaction(std::string_view key) { return core::from_code_points(bare_emoji(key)); }

std::optional<Say> read_reaction(std::string_view key, const core::EventId& target) {
  const std::u32string emoji = bare_emoji(key);
  Say say;
  say.way = Say::Way::reaction;
  say.points_at = target;
  if (emoji == U"✅" || emoji == U"✔" || emoji == U"👍") return say;
  say.kind = Say::Kind::no;
  if (emoji == U"❌" || emoji == U"✖" || emoji == U"👎") return say;
  return std::nullopt;
}

std::optional<JobReaction> read_job_reaction(std::string_view key) {
  const std::u32string emoji = bare_emoji(key);
  if (emoji == U"⏸") return JobReaction::pause;
  if (emoji == U"🛑") return JobReaction::cancel;
  if (emoji == U"▶") return JobReaction::resume;
  if (emoji == U"🔁") return JobReaction::retry;
  return std::nullopt;
}

Verdict judge(const Say& say, const Waiting& plan, const core::UserId& who, Role role, bool second_admin) {
  if (role == Role::none || !is_about(say, plan, who)) return ignore();
  // Declining loses nothing, so anybody who has a role may.
  if (say.kind == Say::Kind::no) return {Verdict::Kind::decline, {}};
  // A lone "yes" far below the card was said to somebody else.
  if (say.way == Say::Way::bare_word && !plan.is_newest_message) {
    return explain(fmt::format(
        "That `yes` could mean something else: the card of plan {} is not the last message. Type `yes {}`{}.",
        plan.number, plan.number, plan.level < deletes_for_good ? "" : " and its word"));
  }
  // Another person's "yes" as a reply may be talk; a ✅ or the number is not.
  if (say.way == Say::Way::reply && who != plan.asker) {
    return explain(fmt::format("{} asked for plan {}. To confirm it for them, type `yes {}`{}.", plan.asker.str(),
                               plan.number, plan.number,
                               plan.level < deletes_for_good ? " or react with ✅" : " and its word"));
  }
  if (plan.expired)
    return explain(fmt::format("Plan {} has expired. Send the command again for a fresh one.", plan.number));
  if (role < role_for(plan.level)) {
    return explain(fmt::format("Plan {} needs the role {} to confirm it; yours is {}.", plan.number,
                               name(role_for(plan.level)), name(role)));
  }
  if (second_admin && plan.level >= deletes_for_good && who == plan.asker) {
    return explain(fmt::format(
        "Plan {} needs another admin than the one who asked: they type {}. Without a second one, give the command "
        "at the server's terminal with `steward exec`.",
        plan.number, words_to_type(plan)));
  }
  return judge_word(say, plan);
}

}  // namespace steward::command
