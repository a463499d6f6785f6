// Durations, sizes and points in time as people write and read them ("30d", "1d12h", "1.4 GB", "3 Mar 2026 14:05").
// Used by command (parsing), report (printing) and config. Any thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace steward::core {

struct Bytes {
  std::int64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
  Bytes& operator+=(Bytes other) { count += other.count; return *this; }
  friend Bytes operator+(Bytes a, Bytes b) { return Bytes{a.count + b.count}; }
};

// "45s 30m 12h 30d 2w 6mo 1y", joined ("1d12h"); a month is 30 days, a year 365. bad_input (with the two readings for a
// bare number, and a hint for '٣٠d' or '-5d'): no unit, unknown unit, zero, negative, over 100 years, not ASCII digits.
Result<std::chrono::seconds> parse_duration(std::string_view text);
// The text that parse_duration reads back as the same duration: "30d", "1d12h"; "0s" for nothing.
std::string write_duration(std::chrono::seconds duration);
// "500k 10M 2G 1.5G" (powers of 1024; also kB, MB, MiB…, and a plain number of bytes is refused). bad_input as above.
Result<Bytes> parse_size(std::string_view text);

std::string format_duration(std::chrono::milliseconds duration);  // "0.4 s", "41 s", "2 min 10 s", "3 h 5 min", "12 d 4 h"
std::string format_age(std::chrono::seconds age);                 // "40 s", "5 min", "8 months", "2 years" (one unit)
std::string format_size(Bytes size);                              // "812 B", "1.4 GB" (one decimal, powers of 1024)
std::string format_count(std::int64_t count);                     // "1 204 331", thousands apart by a narrow no-break space (U+202F)

using TimePoint = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;
TimePoint from_unix_ms(std::int64_t milliseconds);
std::int64_t to_unix_ms(TimePoint time);

// "03:00": the time since midnight; nullopt for anything else.
std::optional<std::chrono::minutes> parse_time_of_day(std::string_view text);

// A time zone of the system's database ("Europe/Berlin"). bad_input with the nearest name.
Result<void> check_time_zone(std::string_view zone);
std::string format_time(TimePoint time, std::string_view zone);  // "3 Mar 2026 14:05" in that zone (UTC if unknown)
std::string format_date(TimePoint time, std::string_view zone);  // "3 Mar 2026"
// "2026-01-31" or "2026-01-31T18:00" in `zone`. bad_input: not a date, not a day that exists, an hour that does not exist.
Result<TimePoint> parse_date(std::string_view text, std::string_view zone);

}  // namespace steward::core
