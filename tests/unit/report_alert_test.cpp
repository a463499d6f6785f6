// When a limit counts as passed: two looks to tell, a tenth of way back to end it, nothing without a value.
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include "report/alert.hpp"

namespace steward::report {
namespace {

constexpr Limit disk{.value = 1000, .below = true};
constexpr Limit people{.value = 20, .below = false};

Watched after(Limit limit, std::initializer_list<std::int64_t> values, Watched from = {}) {
  for (const std::int64_t value : values) from = judge(from, limit, value);
  return from;
}

TEST(Alert, OneLookIsNotEnough) {
  EXPECT_FALSE(after(disk, {900}).firing);
  EXPECT_TRUE(after(disk, {900, 900}).firing);
  EXPECT_FALSE(after(disk, {900, 1000, 900}).firing);
}

TEST(Alert, TheLimitItselfIsWell) {
  EXPECT_FALSE(after(disk, {1000, 1000, 1000}).firing);
  EXPECT_FALSE(after(people, {20, 20, 20}).firing);
  EXPECT_TRUE(after(people, {21, 21}).firing);
}

TEST(Alert, ItEndsATenthInside) {
  const Watched firing = after(disk, {900, 900});
  EXPECT_TRUE(after(disk, {1050, 1099, 1050}, firing).firing);
  EXPECT_TRUE(after(disk, {1100}, firing).firing);
  EXPECT_FALSE(after(disk, {1100, 1100}, firing).firing);
  EXPECT_TRUE(after(people, {19, 19, 19}, Watched{.firing = true}).firing);
  EXPECT_FALSE(after(people, {18, 18}, Watched{.firing = true}).firing);
}

TEST(Alert, ALimitOfNothingEndsAtNothing) {
  constexpr Limit none{.value = 0, .below = false};
  EXPECT_TRUE(after(none, {1, 1}).firing);
  EXPECT_FALSE(after(none, {0, 0}, Watched{.firing = true}).firing);
}

TEST(Alert, NothingKnownChangesNothing) {
  const Watched half = after(disk, {900});
  EXPECT_EQ(judge(half, disk, std::nullopt), half);
  EXPECT_TRUE(judge(half, disk, 900).firing);
}

RC_GTEST_PROP(Alert, WhatSwingsAboutTheLimitTurnsAtMostOnce, (std::vector<bool> swings)) {
  Watched watched;
  int turns = 0;
  for (const bool beyond : swings) {
    const Watched next = judge(watched, disk, beyond ? 999 : 1001);
    turns += next.firing != watched.firing ? 1 : 0;
    watched = next;
  }
  RC_ASSERT(turns <= 1);
}

}  // namespace
}  // namespace steward::report
