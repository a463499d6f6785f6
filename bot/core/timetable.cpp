#include "core/timetable.hpp"

#include <date/date.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "core/text.hpp"
#include "core/zones.hpp"

namespace steward::core {
namespace {

using std::chrono::minutes;
using LocalMinutes = date::local_time<minutes>;
using SysMinutes = date::sys_time<minutes>;

constexpr std::array<std::string_view, 7> weekday_names{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr std::array<std::string_view, 12> month_names{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr const char* forms =
    "Write \"daily 03:00\", \"sun 04:30\", \"1st 02:00\", \"every 6h\", \"in 2h\", a date like 2026-12-24T18:00, or five fields of cron.";
constexpr int most_years = 12;  // 29 February is at most eight years away
constexpr std::size_t most_columns = 34;  // of a preformatted line on a phone

// ---- reading -----------------------------------------------------------------------------------------------------

struct Words {
  std::vector<std::string> words;  // in lower case
  std::string all() const { return join(words, " "); }
};

Words words_of(std::string_view text) {
  Words found;
  for (const std::string& word : split(text, ' '))
    if (!word.empty()) found.words.push_back(to_lower_ascii(word));
  return found;
}

// "daily 25:00" and the caret under the wrong word; `at` one past the end: something is missing.
std::unexpected<Error> wrong(const Words& text, std::size_t at, std::string what, std::string why, std::string next) {
  const std::string word = at < text.words.size() ? clean_name(text.words[at], 18) : "";
  std::string before;
  for (std::size_t index = at; index-- > 0;) {
    const std::string more = clean_name(text.words[index], 18) + ' ';
    if (display_width(more + before + word) > most_columns) break;
    before.insert(0, more);
  }
  const std::size_t columns = std::max<std::size_t>(1, display_width(word));
  return fail(Code::bad_input, fmt::format("{}\n{}{}\n{}{}", what, before, word, std::string(display_width(before), ' '), std::string(columns, '^')),
              std::move(why), std::move(next));
}

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > 4 || problem != std::errc{} || end != text.data() + text.size() || text[0] == '-') return std::nullopt;
  return value;
}

struct Field {
  std::string_view name;
  int least, most;
  const std::string_view* names = nullptr;  // of the values from `least` on
  int names_count = 0;
};

const std::array<Field, 5> cron_fields{{{"minute", 0, 59},
                                        {"hour", 0, 23},
                                        {"day of the month", 1, 31},
                                        {"month", 1, 12, month_names.data(), 12},
                                        {"weekday", 0, 7, weekday_names.data(), 7}}};

std::optional<int> value_of(const Field& field, std::string_view text) {
  for (int index = 0; index < field.names_count; ++index)
    if (text == field.names[index]) return field.least + index;
  const auto value = whole_number(text);
  if (!value || *value < field.least || *value > field.most) return std::nullopt;
  return value;
}

// "3", "1-5", "*/10", "8-18/2" → the values; nullopt: not understood.
std::optional<std::vector<int>> read_part(const Field& field, std::string_view part) {
  const auto slash = part.find('/');
  const std::string_view range = part.substr(0, slash);
  int step = 1;
  if (slash != std::string_view::npos) {
    const auto given = whole_number(part.substr(slash + 1));
    if (!given || *given < 1 || *given > field.most) return std::nullopt;
    step = *given;
  }
  const auto dash = range.find('-');
  std::optional<int> from = field.least, to = field.most;
  if (range != "*") {
    from = value_of(field, range.substr(0, dash));
    to = dash == std::string_view::npos ? (slash == std::string_view::npos ? from : std::optional<int>(field.most)) : value_of(field, range.substr(dash + 1));
  }
  if (!from || !to || *from > *to) return std::nullopt;
  std::vector<int> values;
  for (int value = *from; value <= *to; value += step) values.push_back(value);
  return values;
}

template <std::size_t Size>
bool read_field(const Field& field, std::string_view text, std::bitset<Size>& set) {
  for (const std::string& part : split(text, ',')) {
    const auto values = read_part(field, part);
    if (!values) return false;
    for (const int value : *values) set.set(static_cast<std::size_t>(value) % Size);  // weekday 7 is 0
  }
  return true;
}

std::string expected(const Field& field) {
  std::string text = fmt::format("expected a {} from {} to {}", field.name, field.least, field.most);
  if (field.names_count > 0) text += fmt::format(" or {}–{}", field.names[0], field.names[field.names_count - 1]);
  return text + "; also *, lists, ranges and steps";
}

Timetable every_day() {
  Timetable table;
  table.days.set();
  table.months.set();
  table.weekdays.set();
  return table;
}

std::optional<LocalMinutes> matching_from(const Timetable& table, LocalMinutes from);

Result<Timetable> read_cron(const Words& text) {
  Timetable table;
  std::bitset<7> weekdays;
  const auto read = [&](std::size_t index) {
    const std::string& word = text.words[index];
    switch (index) {
      case 0: return read_field(cron_fields[0], word, table.minutes);
      case 1: return read_field(cron_fields[1], word, table.hours);
      case 2: return read_field(cron_fields[2], word, table.days);
      case 3: return read_field(cron_fields[3], word, table.months);
      default: return read_field(cron_fields[4], word, weekdays);
    }
  };
  for (std::size_t index = 0; index < cron_fields.size(); ++index)
    if (!read(index))
      return wrong(text, index, fmt::format("{} is no {}", echo_word(text.words[index]), cron_fields[index].name), expected(cron_fields[index]), {});
  table.weekdays = weekdays;
  const bool any_day = text.words[2].starts_with('*'), any_weekday = text.words[4].starts_with('*');
  table.either_day = !any_day && !any_weekday;
  if (!matching_from(table, date::local_days(date::year(2025) / 1 / 1)))
    return wrong(text, 2, "That day never comes", "no month of these has it", {});
  return table;
}

bool read_weekdays(std::string_view text, Timetable& table) {
  table.weekdays.reset();
  for (const std::string& part : split(text, ',')) {
    const auto dash = part.find('-');
    const auto index_of = [](std::string_view name) {
      for (std::size_t index = 0; index < weekday_names.size(); ++index) {
        const bool whole = name.size() > 3 && name.ends_with("day") && name.starts_with(weekday_names[index]);
        if (name == weekday_names[index] || whole) return static_cast<int>(index);
      }
      return -1;
    };
    const int from = index_of(part.substr(0, dash)), to = dash == std::string::npos ? from : index_of(std::string_view(part).substr(dash + 1));
    if (from < 0 || to < 0) return false;
    for (int day = from;; day = (day + 1) % 7) {  // "sat-mon" goes over the end of the week
      table.weekdays.set(static_cast<std::size_t>(day));
      if (day == to) break;
    }
  }
  return true;
}

bool read_ordinals(std::string_view text, Timetable& table) {
  table.days.reset();
  for (const std::string& part : split(text, ',')) {
    const auto digits = part.find_first_not_of("0123456789");
    if (digits == std::string::npos || digits == 0) return false;
    const std::string_view ending = std::string_view(part).substr(digits);
    const auto day = whole_number(std::string_view(part).substr(0, digits));
    const bool ordinal = ending == "st" || ending == "nd" || ending == "rd" || ending == "th";
    if (!ordinal || !day || *day < 1 || *day > 31) return false;
    table.days.set(static_cast<std::size_t>(*day));
  }
  return true;
}

Result<Timetable> read_time_of_day(const Words& text, Timetable table) {
  const std::string example = fmt::format("Write \"{} 03:00\".", clean_name(text.words[0], 18));
  if (text.words.size() < 2) return wrong(text, 1, "The time of the day is missing", {}, example);
  if (text.words[1] == "report-hours") {
    table.at_report_hours = true;
  } else {
    const auto time = parse_time_of_day(text.words[1]);
    if (!time) return wrong(text, 1, echo_word(text.words[1]) + " is no time of the day", "expected hours and minutes, 00:00 to 23:59", example);
    table.hours.set(static_cast<std::size_t>(*time / std::chrono::hours(1)));
    table.minutes.set(static_cast<std::size_t>(time->count() % 60));
  }
  if (text.words.size() > 2) return wrong(text, 2, echo_word(text.words[2]) + " is one word too many", {}, example);
  return table;
}

Result<Timetable> read_span(const Words& text, Timetable::Kind kind) {
  const std::string example = kind == Timetable::Kind::in ? "Write \"in 2h\"." : "Write \"every 6h\".";
  if (text.words.size() < 2) return wrong(text, 1, "How long is missing", {}, example);
  if (text.words.size() > 2) return wrong(text, 2, echo_word(text.words[2]) + " is one word too many", {}, example);
  const auto span = parse_duration(text.words[1]);
  if (!span) return wrong(text, 1, span.error().what, span.error().why, span.error().next);
  if (kind == Timetable::Kind::interval && *span < minutes(1))
    return wrong(text, 1, echo_word(text.words[1]) + " is too short", "the least is 1m", example);
  Timetable table;
  table.kind = kind;
  table.interval = *span;
  return table;
}

Result<Timetable> read_form(const Words& text) {
  const std::string& first = text.words[0];
  Timetable table = every_day();
  if (first == "daily") return read_time_of_day(text, std::move(table));
  if (first == "every") return read_span(text, Timetable::Kind::interval);
  if (first == "in") return read_span(text, Timetable::Kind::in);
  if (text.words.size() == 5) return read_cron(text);
  if (first.size() >= 10 && first[4] == '-') {
    std::string date = first;
    std::replace(date.begin(), date.end(), 't', 'T');
    // Whether its hour exists is a matter of the zone, and asked when it is taken.
    if (const auto real = parse_date(date, "UTC"); !real) return wrong(text, 0, real.error().what, real.error().why, real.error().next);
    if (text.words.size() > 1) return wrong(text, 1, echo_word(text.words[1]) + " is one word too many", {}, "Write 2026-12-24T18:00.");
    table.kind = Timetable::Kind::date;
    return table;
  }
  if (first[0] >= '0' && first[0] <= '9') {
    if (read_ordinals(first, table)) return read_time_of_day(text, std::move(table));
    if (text.words.size() > 2)
      return wrong(text, std::min<std::size_t>(text.words.size(), 5), "Cron has five fields", fmt::format("here are {}", text.words.size()), forms);
    return wrong(text, 0, echo_word(first) + " is no day of the month", "expected 1st to 31st", forms);
  }
  if (read_weekdays(first, table)) return read_time_of_day(text, std::move(table));
  std::vector<std::string> known{"daily", "every", "in"};
  for (const std::string_view name : weekday_names) known.emplace_back(name);
  const auto near = nearest(first, known);
  return wrong(text, 0, echo_word(first) + " is not understood", near ? fmt::format("Did you mean {}?", *near) : std::string(), forms);
}

// ---- reckoning ---------------------------------------------------------------------------------------------------

bool is_on(const Timetable& table, date::local_days day) {
  const date::year_month_day ymd(day);
  const bool by_day = table.days.test(unsigned(ymd.day()));
  const bool by_weekday = table.weekdays.test(date::weekday(day).c_encoding());
  return table.either_day ? by_day || by_weekday : by_day && by_weekday;
}

std::optional<minutes> time_from(const Timetable& table, minutes from) {
  for (int hour = static_cast<int>(from / std::chrono::hours(1)), minute = static_cast<int>(from.count() % 60); hour < 24; ++hour, minute = 0) {
    if (!table.hours.test(static_cast<std::size_t>(hour))) continue;
    for (; minute < 60; ++minute)
      if (table.minutes.test(static_cast<std::size_t>(minute))) return std::chrono::hours(hour) + minutes(minute);
  }
  return std::nullopt;
}

// The first matching time on the clock's face at or after `from`, whether that time exists or not.
std::optional<LocalMinutes> matching_from(const Timetable& table, LocalMinutes from) {
  auto day = date::floor<date::days>(from);
  minutes time = from - day;
  const date::year last = date::year_month_day(day).year() + date::years(most_years);
  while (date::year_month_day(day).year() <= last) {
    const date::year_month_day ymd(day);
    if (!table.months.test(unsigned(ymd.month()))) {
      day = date::local_days((ymd.year() / ymd.month() + date::months(1)) / 1);
      time = minutes(0);
      continue;
    }
    if (is_on(table, day))
      if (const auto found = time_from(table, time)) return day + *found;
    day += date::days(1);
    time = minutes(0);
  }
  return std::nullopt;
}

struct Clock {
  const date::time_zone* zone;

  LocalMinutes face(TimePoint time) const {
    if (zone == nullptr) return LocalMinutes(date::floor<minutes>(time).time_since_epoch());
    return date::floor<minutes>(zone->to_local(time));
  }
  // The moment the clock shows that: the first of two; of a skipped time the moment of the change.
  TimePoint moment(LocalMinutes local) const {
    if (zone == nullptr) return TimePoint(local.time_since_epoch());
    const auto info = zone->get_info(local);
    if (info.result == date::local_info::nonexistent) return info.first.end;
    return TimePoint(local.time_since_epoch() - info.first.offset);
  }
};

// By the clock's face: each time of it once a day.
std::optional<TimePoint> next_by_face(const Timetable& table, TimePoint after, const Clock& clock) {
  for (LocalMinutes from = clock.face(after);; from += minutes(1)) {
    const auto local = matching_from(table, from);
    if (!local) return std::nullopt;
    if (const TimePoint moment = clock.moment(*local); moment > after) return moment;
    from = *local;
  }
}

// By the hours that pass: from one change of the clocks to the next the face goes straight.
std::optional<TimePoint> next_by_hours(const Timetable& table, TimePoint after, const Clock& clock) {
  SysMinutes from = date::floor<minutes>(after) + minutes(1);
  for (int stretch = 0; stretch < 4 * most_years; ++stretch) {
    std::chrono::seconds offset{};
    std::optional<date::sys_seconds> end;
    if (clock.zone != nullptr) {
      const auto info = clock.zone->get_info(from);
      offset = info.offset;
      end = info.end;
    }
    const auto local = matching_from(table, date::floor<minutes>(date::local_seconds((from + offset).time_since_epoch())));
    if (!local) return std::nullopt;
    const date::sys_seconds moment(local->time_since_epoch() - offset);
    if (!end || moment < *end) return TimePoint(moment);
    from = date::ceil<minutes>(*end);
  }
  return std::nullopt;
}

Timetable at(minutes time) {
  Timetable table = every_day();
  table.hours.set(static_cast<std::size_t>(time / std::chrono::hours(1)));
  table.minutes.set(static_cast<std::size_t>(time.count() % 60));
  return table;
}

}  // namespace

Result<Timetable> parse_timetable(std::string_view text) {
  const Words words = words_of(text);
  if (words.words.empty()) return fail(Code::bad_input, "The time is missing", {}, forms);
  auto table = read_form(words);
  if (!table) return table;
  table->text = words.all();
  if (table->kind == Timetable::Kind::date) std::replace(table->text.begin(), table->text.end(), 't', 'T');
  return table;
}

std::optional<TimePoint> next_run(const Timetable& timetable, TimePoint after, const Daytime& daytime) {
  if (timetable.kind == Timetable::Kind::interval) return after + timetable.interval;
  if (timetable.kind != Timetable::Kind::calendar) return std::nullopt;
  const Clock clock{find_zone(daytime.zone)};
  if (timetable.at_report_hours) {
    if (!daytime.report_hours) return std::nullopt;
    Timetable timed = timetable;
    timed.at_report_hours = false;
    timed.hours = at(*daytime.report_hours).hours;
    timed.minutes = at(*daytime.report_hours).minutes;
    return next_by_face(timed, after, clock);
  }
  return timetable.hours.all() ? next_by_hours(timetable, after, clock) : next_by_face(timetable, after, clock);
}

std::optional<TimePoint> first_run(const Timetable& timetable, TimePoint now, const Daytime& daytime) {
  if (timetable.kind == Timetable::Kind::in) return now + timetable.interval;
  if (timetable.kind != Timetable::Kind::date) return next_run(timetable, now, daytime);
  const auto time = parse_date(timetable.text, daytime.zone);
  if (!time || *time <= now) return std::nullopt;
  return *time;
}

std::optional<TimePoint> quiet_until(TimePoint time, const Daytime& daytime) {
  if (!daytime.quiet_hours) return std::nullopt;
  const auto [from, to] = *daytime.quiet_hours;
  const Clock clock{find_zone(daytime.zone)};
  const LocalMinutes local = clock.face(time);
  const minutes now = local - date::floor<date::days>(local);
  const bool quiet = from < to ? now >= from && now < to : now >= from || now < to;
  if (!quiet) return std::nullopt;
  return next_by_face(at(to), time, clock);
}

}  // namespace steward::core
