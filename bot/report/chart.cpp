#include "report/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.hpp"
#include "core/units.hpp"
#include "report/axis.hpp"

namespace steward::report {
namespace {

constexpr std::size_t columns = 34, bar_columns = 10, label_columns = 13, value_columns = 9;
constexpr std::size_t caption_name = 40;
constexpr const char* nothing = "no data";

using Values = std::vector<std::optional<std::int64_t>>;

// Two sizes may be more than 64 bits hold.
std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

Series add_up(const std::vector<Series>& all, std::size_t from, std::size_t labels) {
  Series others{"others", Values(labels)};
  for (std::size_t index = from; index < all.size(); ++index)
    for (std::size_t at = 0; at < labels; ++at)
      if (const auto& value = all[index].values[at]) others.values[at] = sum(others.values[at].value_or(0), *value);
  return others;
}

// Pads or cuts to the width that people see.
std::string fitted(const std::string& text, std::size_t width) {
  std::string cut = core::clean_name(text, width);
  // East Asian characters take two columns each.
  for (std::size_t graphemes = width; core::display_width(cut) > width && graphemes > 1;) cut = core::clean_name(text, --graphemes);
  const std::size_t wide = core::display_width(cut);
  if (wide < width) cut.append(width - wide, ' ');
  return cut;
}

std::string right_aligned(std::string text, std::size_t width) {
  const std::size_t wide = core::display_width(text);
  return wide < width ? std::string(width - wide, ' ') + text : text;
}

std::string narrow_value(Chart::Unit unit, std::int64_t value) {
  std::string words = value_words(unit, value);
  return core::display_width(words) <= value_columns ? words : short_value(unit, static_cast<double>(value));
}

std::string blocks(double share) {
  const auto length = static_cast<std::size_t>(share * static_cast<double>(bar_columns) + 0.999999);
  std::string drawn;
  for (std::size_t step = 0; step < bar_columns; ++step) drawn += step < length ? "█" : " ";
  return drawn;
}

std::string bars_text(const Chart& chart) {
  const auto totals = add_up(chart.series, 0, chart.labels.size()).values;
  std::int64_t largest = 1;
  for (const auto& total : totals) largest = std::max(largest, total.value_or(0));
  std::string text;
  for (std::size_t at = 0; at < chart.labels.size(); ++at) {
    const std::int64_t total = totals[at].value_or(0);
    const double share = static_cast<double>(std::max<std::int64_t>(total, 0)) / static_cast<double>(largest);
    text += fmt::format("{}{} {} {}", text.empty() ? "" : "\n", fitted(chart.labels[at], label_columns), blocks(share),
                        right_aligned(totals[at] ? narrow_value(chart.unit, total) : "?", value_columns));
  }
  return text;
}

// Of many values as many as a line holds, always the first and the last one.
Values sampled(const Values& values) {
  if (values.size() <= columns) return values;
  Values chosen;
  for (std::size_t at = 0; at < columns; ++at) chosen.push_back(values[at * (values.size() - 1) / (columns - 1)]);
  return chosen;
}

struct Range { std::size_t first = 0, last = 0; std::int64_t least = 0, most = 0; };

// Where its known values begin and end, and between what they lie.
std::optional<Range> range_of(const Values& values) {
  std::optional<Range> range;
  for (std::size_t at = 0; at < values.size(); ++at) {
    if (!values[at]) continue;
    if (!range) range = Range{at, at, *values[at], *values[at]};
    range->last = at;
    range->least = std::min(range->least, *values[at]);
    range->most = std::max(range->most, *values[at]);
  }
  return range;
}

// "▁▃█▅": one block a value, the smallest lowest.
std::string sparkline(const Values& values, const Range& range) {
  constexpr std::array<std::string_view, 8> heights{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double least = static_cast<double>(range.least), span = static_cast<double>(range.most) - least;
  std::string line;
  for (const auto& value : sampled(values)) {
    if (!value) line += ' ';
    else line += heights[span <= 0 ? 0 : static_cast<std::size_t>((static_cast<double>(*value) - least) / span * 7)];
  }
  return line;
}

std::string trimmed(std::string text) { return std::string(core::trim(text)); }

std::string line_text(const Chart& chart, const Series& series) {
  std::string text = chart.series.size() > 1 ? trimmed(fitted(series.name, columns)) + "\n" : "";
  const auto range = range_of(series.values);
  if (!range) return text + nothing;
  const Values known(series.values.begin() + static_cast<std::ptrdiff_t>(range->first), series.values.begin() + static_cast<std::ptrdiff_t>(range->last) + 1);
  const auto words = [&](std::int64_t value) { return narrow_value(chart.unit, value); };
  text += sparkline(known, *range);
  text += fmt::format("\n{} – {}", trimmed(fitted(chart.labels[range->first], 15)), trimmed(fitted(chart.labels[range->last], 15)));
  text += fmt::format("\n{} → {}", words(*series.values[range->first]), words(*series.values[range->last]));
  if (range->last - range->first > 1) text += fmt::format("\nleast {}, most {}", words(range->least), words(range->most));
  return text;
}

std::string bars_caption(const Chart& chart) {
  const auto totals = add_up(chart.series, 0, chart.labels.size()).values;
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < chart.labels.size(); ++at)
    parts.push_back(core::clean_name(chart.labels[at], caption_name) + " " + (totals[at] ? value_words(chart.unit, *totals[at]) : "not known"));
  std::string text = core::join(parts, ", ");
  if (chart.series.size() < 2) return text;
  std::vector<std::string> sums;
  for (const Series& series : chart.series) {
    std::int64_t all = 0;
    for (const auto& value : series.values) all = sum(all, value.value_or(0));
    sums.push_back(core::clean_name(series.name, caption_name) + " " + value_words(chart.unit, all));
  }
  return text + "; of these " + core::join(sums, ", ");
}

std::string line_caption(const Chart& chart, const Series& series) {
  const std::string name = chart.series.size() > 1 ? core::clean_name(series.name, caption_name) + " " : "";
  const auto range = range_of(series.values);
  if (!range) return name + nothing;
  const auto point = [&](std::size_t at) {
    return fmt::format("{} ({})", value_words(chart.unit, *series.values[at]), core::clean_name(chart.labels[at], caption_name));
  };
  if (range->first == range->last) return name + point(range->first);
  std::string text = fmt::format("{}{} → {}", name, point(range->first), point(range->last));
  if (!series.forecast && range->last - range->first > 1)
    text += fmt::format(", least {}, most {}", value_words(chart.unit, range->least), value_words(chart.unit, range->most));
  return text;
}

bool is_empty(const Chart& chart) { return chart.labels.empty() || chart.series.empty(); }

}  // namespace

Chart shown_part(Chart chart) {
  if (chart.kind == Chart::Kind::bars && chart.labels.size() > most_bars) chart.labels.resize(most_bars);
  for (Series& series : chart.series) series.values.resize(chart.labels.size());
  if (chart.series.size() > most_series) {
    Series others = add_up(chart.series, most_series - 1, chart.labels.size());
    chart.series.resize(most_series - 1);
    chart.series.push_back(std::move(others));
  }
  return chart;
}

std::string as_text(const Chart& whole) {
  const Chart chart = shown_part(whole);
  if (is_empty(chart)) return nothing;
  if (chart.kind == Chart::Kind::bars) return bars_text(chart);
  std::vector<std::string> parts;
  for (const Series& series : chart.series) parts.push_back(line_text(chart, series));
  return core::join(parts, "\n");
}

std::string caption(const Chart& whole) {
  const Chart chart = shown_part(whole);
  std::string text = core::clean_name(chart.title, 80) + ": ";
  if (is_empty(chart)) return text + nothing;
  if (chart.kind == Chart::Kind::bars) {
    text += bars_caption(chart);
  } else {
    std::vector<std::string> parts;
    for (const Series& series : chart.series) parts.push_back(line_caption(chart, series));
    text += core::join(parts, "; ");
  }
  const std::size_t rest = whole.labels.size() - chart.labels.size();
  return rest == 0 ? text : text + fmt::format("; and {} more", rest);
}

std::string value_words(Chart::Unit unit, std::int64_t value) {
  return unit == Chart::Unit::bytes ? core::format_size(core::Bytes{value}) : core::format_count(value);
}

}  // namespace steward::report
