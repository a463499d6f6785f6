// Points in time as dates of a zone. The zones come from the system's tzdata through Hinnant's library, because the
// standard library of g++ 12 has none.
#include <date/date.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.hpp"
#include "core/units.hpp"
#include "core/zones.hpp"

namespace steward::core {

const date::time_zone* find_zone(std::string_view name) {
  if (name.empty() || name == "UTC") return nullptr;
  try {
    return date::locate_zone(std::string(name));
  } catch (const std::exception&) {
    return nullptr;
  }
}

namespace {

std::vector<std::string> zone_names() {
  std::vector<std::string> names{"UTC"};
  try {
    for (const auto& zone : date::get_tzdb().zones) names.push_back(zone.name());
  } catch (const std::exception&) {
    return names;  // no tzdata on this host: UTC is what there is
  }
  return names;
}

date::local_time<std::chrono::milliseconds> to_local(TimePoint time, std::string_view zone) {
  const auto* found = find_zone(zone);
  if (found == nullptr) return date::local_time<std::chrono::milliseconds>(time.time_since_epoch());
  return found->to_local(time);
}

std::string written_date(date::local_days day) {
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const date::year_month_day ymd(day);
  return fmt::format("{} {} {}", unsigned(ymd.day()), months[unsigned(ymd.month()) - 1], int(ymd.year()));
}

std::unexpected<Error> no_date(std::string_view text, std::string why) {
  return fail(Code::bad_input, echo_word(text) + " is not a date", std::move(why),
              "Write 2026-01-31 or 2026-01-31T18:00.");
}

// `shape` holds 0 for a digit; every other character stands for itself.
bool has_shape(std::string_view text, std::string_view shape) {
  return std::equal(text.begin(), text.end(), shape.begin(), shape.end(),
                    [](char c, char s) { return s == '0' ? c >= '0' && c <= '9' : c == s; });
}

int number(std::string_view digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

TimePoint from_unix_ms(std::int64_t milliseconds) { return TimePoint(std::chrono::milliseconds(milliseconds)); }
std::int64_t to_unix_ms(TimePoint time) { return time.time_since_epoch().count(); }

std::optional<std::chrono::minutes> parse_time_of_day(std::string_view text) {
  if (!has_shape(text, "00:00")) return std::nullopt;
  const int hours = number(text.substr(0, 2)), minutes = number(text.substr(3, 2));
  if (hours > 23 || minutes > 59) return std::nullopt;
  return std::chrono::hours(hours) + std::chrono::minutes(minutes);
}

Result<void> check_time_zone(std::string_view zone) {
  if (zone == "UTC" || (!zone.empty() && find_zone(zone) != nullptr)) return {};
  const auto names = zone_names();
  auto near = nearest(zone, names, 3);
  if (!near) {  // "berlin": the city alone, or other case
    const std::string wanted = to_lower_ascii(zone);
    const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
      const std::string lower = to_lower_ascii(name);
      return !wanted.empty() && (lower == wanted || lower.ends_with('/' + wanted));
    });
    if (found != names.end()) near = *found;
  }
  return fail(Code::bad_input, echo_word(zone) + " is not a time zone", {},
              near ? "Did you mean " + *near + "?" : "Write a name like Europe/Berlin, or UTC.");
}

std::string format_date(TimePoint time, std::string_view zone) {
  return written_date(date::floor<date::days>(to_local(time, zone)));
}

std::string format_time(TimePoint time, std::string_view zone) {
  const auto local = to_local(time, zone);
  const auto day = date::floor<date::days>(local);
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(local - day).count();
  return fmt::format("{} {:02}:{:02}", written_date(day), minutes / 60, minutes % 60);
}

Result<TimePoint> parse_date(std::string_view text, std::string_view zone) {
  const bool with_time = text.size() > 10;
  if (!has_shape(text, with_time ? "0000-00-00T00:00" : "0000-00-00")) return no_date(text, {});
  const date::year_month_day ymd(date::year(number(text.substr(0, 4))),
                                 date::month(static_cast<unsigned>(number(text.substr(5, 2)))),
                                 date::day(static_cast<unsigned>(number(text.substr(8, 2)))));
  if (!ymd.ok()) return no_date(text, "there is no such day");
  const int hour = with_time ? number(text.substr(11, 2)) : 0;
  const int minute = with_time ? number(text.substr(14, 2)) : 0;
  if (hour > 23 || minute > 59) return no_date(text, "there is no such time of day");
  const auto local = date::local_days(ymd) + std::chrono::hours(hour) + std::chrono::minutes(minute);
  const auto* found = find_zone(zone);
  if (found == nullptr) return TimePoint(std::chrono::milliseconds(local.time_since_epoch()));
  const auto info = found->get_info(local);
  if (info.result == date::local_info::nonexistent && with_time) {
    return no_date(text, fmt::format("clocks in {} skip that hour", zone));
  }
  // Where clocks go back the first of the two is meant; where midnight is skipped the day starts with the change.
  return TimePoint(found->to_sys(date::local_time<std::chrono::milliseconds>(local), date::choose::earliest));
}

}  // namespace steward::core
