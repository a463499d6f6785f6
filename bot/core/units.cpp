#include "core/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.hpp"

namespace steward::core {
namespace {

using std::chrono::seconds;

constexpr std::int64_t longest_duration = std::int64_t{100} * 365 * 86400;
constexpr std::string_view duration_forms =
    "Write a number and a unit: 45s, 30m, 12h, 30d, 2w, 6mo, 1y, or joined, 1d12h.";
constexpr std::string_view size_forms = "Write a number and a unit: 500k, 10M, 2G.";

struct Unit {
  std::string_view name;
  std::int64_t seconds;
};
constexpr std::array<Unit, 8> units{{{"y", 365 * 86400},
                                     {"mo", 30 * 86400},
                                     {"w", 7 * 86400},
                                     {"d", 86400},
                                     {"h", 3600},
                                     {"min", 60},
                                     {"m", 60},
                                     {"s", 1}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::unexpected<Error> no_duration(std::string_view text, std::string why,
                                   std::string next = std::string(duration_forms)) {
  return fail(Code::bad_input, echo_word(text) + " is not a duration", std::move(why), std::move(next));
}
std::unexpected<Error> no_size(std::string_view text, std::string why, std::string next = std::string(size_forms)) {
  return fail(Code::bad_input, echo_word(text) + " is not a size", std::move(why), std::move(next));
}

// What is wrong with any number of ours before its units are read; empty: nothing.
std::string problem_at_start(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (!is_ascii(text)) return "only the digits 0 to 9 and plain letters are understood";
  if (text.front() == '-') return "it is negative";
  if (!is_digit(text.front())) return "it does not start with a number";
  return {};
}

std::string_view take_while(std::string_view& text, bool (*is)(char)) {
  const auto end = std::find_if_not(text.begin(), text.end(), is);
  const auto taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

// The digits as a number, capped so that products of it with our units cannot overflow.
std::int64_t capped_number(std::string_view digits) {
  constexpr std::int64_t cap = std::int64_t{1} << 36;
  std::int64_t number = 0;
  for (const char c : digits) number = std::min(cap, number * 10 + (c - '0'));
  return number;
}

const Unit* find_unit(std::string_view word) {
  if (word == "M") return nullptr;  // minutes or months? Never guessed.
  const std::string lower = to_lower_ascii(word);
  const auto* const found =
      std::find_if(units.begin(), units.end(), [&](const Unit& unit) { return unit.name == lower; });
  return found == units.end() ? nullptr : found;
}

}  // namespace

Result<seconds> parse_duration(std::string_view text) {
  if (auto why = problem_at_start(text); !why.empty()) return no_duration(text, std::move(why));
  std::int64_t total = 0;
  std::int64_t smallest = longest_duration;
  for (std::string_view rest = text; !rest.empty();) {
    const auto digits = take_while(rest, is_digit);
    const auto name = take_while(rest, [](char c) { return !is_digit(c); });
    if (digits.empty()) return no_duration(text, "a unit stands without a number");
    if (name.empty()) {
      const auto shown = clean_name(digits, 12);
      return no_duration(text, "it has no unit",
                         fmt::format("Write {0}d for {0} days or {0}m for {0} minutes.", shown));
    }
    const Unit* unit = find_unit(name);
    if (unit == nullptr) return no_duration(text, fmt::format("{} is not a unit", echo_word(name)));
    if (unit->seconds >= smallest) return no_duration(text, "larger units come first, and each once");
    smallest = unit->seconds;
    total = std::min(longest_duration + 1, total + capped_number(digits) * unit->seconds);
  }
  if (total == 0) return no_duration(text, "it is zero", "Write at least 1s.");
  if (total > longest_duration) return no_duration(text, "it is longer than 100 years", "Write 100y or less.");
  return seconds(total);
}

std::string write_duration(seconds duration) {
  std::int64_t rest = std::max<std::int64_t>(duration.count(), 0);
  if (rest == 0) return "0s";
  std::string text;
  for (const Unit& unit : units) {
    // Weeks only when they say it all ("2w", but "30d"); "min" is only read.
    if (unit.name == "min" || (unit.name == "w" && rest % unit.seconds != 0)) continue;
    if (unit.name == "mo" && rest % unit.seconds != 0) continue;
    if (unit.name == "y" && rest % unit.seconds != 0) continue;
    if (rest < unit.seconds) continue;
    text += fmt::format("{}{}", rest / unit.seconds, unit.name);
    rest %= unit.seconds;
  }
  return text;
}

Result<Bytes> parse_size(std::string_view text) {
  if (auto why = problem_at_start(text); !why.empty()) return no_size(text, std::move(why));
  std::string_view rest = text;
  const auto whole = take_while(rest, is_digit);
  std::string_view fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = take_while(rest, is_digit);
    if (fraction.empty() || fraction.size() > 6) return no_size(text, "the part behind the point is not understood");
  }
  if (rest.empty()) {
    const auto shown = clean_name(text, 12);
    return no_size(text, "it has no unit",
                   fmt::format("Write {0}M for {0} megabytes or {0}k for {0} kilobytes.", shown));
  }
  std::string unit = to_lower_ascii(rest);
  constexpr std::string_view powers = "bkmgtp";
  const auto power = powers.find(unit.front());
  const std::string_view tail = std::string_view(unit).substr(1);
  const bool tail_is_fine = tail.empty() || (power != 0 && (tail == "b" || tail == "ib"));
  if (power == std::string_view::npos || !tail_is_fine) {
    return no_size(text, fmt::format("{} is not a unit", echo_word(rest)));
  }
  const long double factor = std::pow(1024.0L, static_cast<long double>(power));
  long double number = static_cast<long double>(capped_number(whole));
  number +=
      static_cast<long double>(capped_number(fraction)) / std::pow(10.0L, static_cast<long double>(fraction.size()));
  const long double count = std::floor(number * factor);
  if (count < 1) return no_size(text, "it is zero");
  if (count > 0x1p60L) return no_size(text, "it is larger than any disk", "Write 1024P or less.");
  return Bytes{static_cast<std::int64_t>(count)};
}

std::string format_duration(std::chrono::milliseconds duration) {
  std::int64_t ms = duration.count();
  const std::string sign = ms < 0 ? "-" : "";
  ms = ms < 0 ? -ms : ms;
  if (ms < 9950) {
    const std::int64_t tenths = (ms + 50) / 100;
    return tenths % 10 == 0 ? fmt::format("{}{} s", sign, tenths / 10)
                            : fmt::format("{}{}.{} s", sign, tenths / 10, tenths % 10);
  }
  const auto two = [&](std::int64_t large, std::string_view large_name, std::int64_t small,
                       std::string_view small_name) {
    if (small == 0) return fmt::format("{}{} {}", sign, large, large_name);
    return fmt::format("{}{} {} {} {}", sign, large, large_name, small, small_name);
  };
  const std::int64_t s = (ms + 500) / 1000;
  if (s < 60) return fmt::format("{}{} s", sign, s);
  if (s < 3600) return two(s / 60, "min", s % 60, "s");
  const std::int64_t minutes = (s + 30) / 60;
  if (minutes < 24 * 60) return two(minutes / 60, "h", minutes % 60, "min");
  const std::int64_t hours = (s + 1800) / 3600;
  return two(hours / 24, "d", hours % 24, "h");
}

std::string format_age(seconds age) {
  const std::int64_t s = std::max<std::int64_t>(age.count(), 0);
  const std::int64_t days = s / 86400;
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min", s / 60);
  if (days < 1) return fmt::format("{} h", s / 3600);
  if (days < 60) return plural(days, "day", "days");
  if (days < 730) return plural(std::min<std::int64_t>(days / 30, 23), "month", "months");
  return plural(days / 365, "year", "years");
}

std::string format_size(Bytes size) {
  const std::string sign = size.count < 0 ? "-" : "";
  double amount = std::abs(static_cast<double>(size.count));
  if (amount < 1024) return fmt::format("{}{:.0f} B", sign, amount);
  constexpr std::array<std::string_view, 6> names{"kB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t name = 0;
  amount /= 1024;
  while (amount >= 1023.95 && name + 1 < names.size()) {  // never "1024.0 MB"
    amount /= 1024;
    ++name;
  }
  return fmt::format("{}{:.1f} {}", sign, amount, names[name]);
}

std::string format_count(std::int64_t count) {
  constexpr std::string_view gap = "\u202f";
  std::string digits = fmt::format("{}", count);
  const std::size_t first = digits.front() == '-' ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, gap);
  }
  return digits;
}

}  // namespace steward::core
