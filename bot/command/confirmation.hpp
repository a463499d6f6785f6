// The rules of confirming a plan, without I/O: who, with what words, on which event. Used by the dispatcher. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "command/spec.hpp"
#include "core/ids.hpp"

namespace steward::command {

inline constexpr std::chrono::minutes confirmation_time{10};

// What a person said to a plan.
struct Say {
  enum class Kind { yes, no };
  enum class Way { bare_word, reply, reaction, numbered };  // "yes" · reply "yes" · ✅ · "yes 41 [word]"
  Kind kind = Kind::yes;
  Way way = Way::bare_word;
  std::int64_t number = 0;      // of Way::numbered
  std::string word;             // of Way::numbered
  core::EventId points_at;      // of a reply or reaction
};
// "yes", "yes 41", "yes 41 212", "no 41", "ja" is no yes. nullopt: not an answer to a plan. Case, a "!" before and a full stop
// after it are ignored, a quoted reply before it is cut off. `in_reply_to`: empty when the message is no reply.
std::optional<Say> read_say(std::string_view text, const core::EventId& in_reply_to);
// A reaction's key without what only the phone adds: the emoji form (U+FE0F) and the skin tone.
std::string fold_reaction(std::string_view key);
// ✅ ✔ 👍 → yes, ❌ ✖ 👎 → no, after U+FE0F and skin tones are taken off. Others: nullopt.
std::optional<Say> read_reaction(std::string_view key, const core::EventId& target);
// ⏸ 🛑 ▶️ 🔁 on a job's messages.
enum class JobReaction { pause, cancel, resume, retry };
std::optional<JobReaction> read_job_reaction(std::string_view key);

struct Waiting {
  std::int64_t number = 0;
  int level = 0;
  core::UserId asker;
  core::EventId card;         // the event id that the outbox recorded for the card
  std::string word;           // level 4
  bool expired = false;
  bool is_newest_message = false;  // nothing of the bot stands below the card
  int plans_waiting = 0;      // of all
};
struct Verdict {
  enum class Kind { confirm, decline, ignore, explain };
  Kind kind = Kind::ignore;
  std::string text;  // what to say for `explain`: the word to type, why it does not count
};
// The rules of DESIGN §3 "Confirmation". `role`: of `who`, now. `second_admin`: a level-4 plan needs another admin than the asker.
// confirm still has to win the race in the store (single use). ignore: it was not meant for this plan, or came from nobody.
Verdict judge(const Say& say, const Waiting& plan, const core::UserId& who, Role role, bool second_admin);

}  // namespace steward::command
