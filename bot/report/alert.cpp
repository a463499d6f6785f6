#include "report/alert.hpp"

namespace steward::report {

namespace {

bool beyond(Limit limit, std::int64_t value) { return limit.below ? value < limit.value : value > limit.value; }

bool well_within(Limit limit, std::int64_t value) {
  const std::int64_t margin = limit.value / 10;
  return limit.below ? value >= limit.value + margin : value <= limit.value - margin;
}

}  // namespace

Watched judge(Watched before, Limit limit, std::optional<std::int64_t> value) {
  if (!value) return before;
  const bool against = before.firing ? well_within(limit, *value) : beyond(limit, *value);
  if (!against) return {before.firing, 0};
  if (before.streak + 1 < looks_to_turn) return {before.firing, before.streak + 1};
  return {!before.firing, 0};
}

}  // namespace steward::report
