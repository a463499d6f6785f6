// When a limit counts as passed and when it is well again. Pure: the looks and their memory are the caller's (commands/alert_watch).
// Any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace steward::report {

struct Limit {
  std::int64_t value = 0;
  bool below = false;  // trouble is less than it; else more
};

struct Watched {
  bool firing = false;
  int streak = 0;  // looks in a row that speak against `firing`
  bool operator==(const Watched&) const = default;
};

inline constexpr int looks_to_turn = 2;

// One look more. Trouble is told after two looks in a row beyond the limit, and ends after two in a row that are back by a tenth of
// it: what swings about the limit rings once. Without a value nothing changes.
Watched judge(Watched before, Limit limit, std::optional<std::int64_t> value);

}  // namespace steward::report
