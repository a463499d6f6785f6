#include "report/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace steward::report {
namespace {

constexpr std::array<const char*, 7> byte_units{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
constexpr std::array<const char*, 7> count_units{"", "k", "M", "bn", "tn", "qd", "qn"};

struct Scale { double factor; const char* name; };

// The unit in which the number has one to four digits.
Scale scale_of(Chart::Unit unit, double value) {
  const double step = unit == Chart::Unit::bytes ? 1024 : 1000;
  const auto& names = unit == Chart::Unit::bytes ? byte_units : count_units;
  double factor = 1;
  std::size_t index = 0;
  while (std::abs(value) / factor >= step && index + 1 < names.size()) {
    factor *= step;
    ++index;
  }
  return {factor, names[index]};
}

// 1, 2 or 5 times a power of ten, not below `least`.
double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double step : {1.0, 2.0, 5.0})
    if (step * power >= least * (1 - 1e-9)) return step * power;
  return 10 * power;
}

std::string in_unit(const Scale& scale, double value, int decimals) {
  std::string number = fmt::format("{:.{}f}", value / scale.factor, decimals);
  if (*scale.name == '\0' || value == 0) return number;
  return number + " " + scale.name;
}

int decimals_of(double step) { return step >= 1 ? 0 : std::min(3, static_cast<int>(std::ceil(-std::log10(step) - 1e-9))); }

}  // namespace

Axis axis_over(Chart::Unit unit, double least, double most, int steps) {
  if (most <= least) most = least + 1;
  const Scale scale = scale_of(unit, std::max(std::abs(least), std::abs(most)));
  double step = round_step((most - least) / scale.factor / std::max(1, steps));
  // Nobody has half a byte or half a person.
  if (scale.factor == 1) step = std::max(1.0, step);
  const double first = std::floor(least / scale.factor / step + 1e-9), last = std::ceil(most / scale.factor / step - 1e-9);
  Axis axis;
  for (double at = first; at <= std::max(last, first + 1); ++at) {
    const double value = at * step * scale.factor;
    axis.marks.push_back({value, in_unit(scale, value, decimals_of(step))});
  }
  return axis;
}

std::string short_value(Chart::Unit unit, double value) {
  const Scale scale = scale_of(unit, value);
  return in_unit(scale, value, scale.factor == 1 || std::abs(value) / scale.factor >= 100 ? 0 : 1);
}

}  // namespace steward::report
