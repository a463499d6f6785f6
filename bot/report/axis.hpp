// The marks of a value axis: round numbers at equal steps, sizes by powers of 1024, with their words ("0", "2.5 GB", "40 k").
// Used by chart.cpp and chart_drawing.cpp. Any thread.
#pragma once

#include <string>
#include <vector>

#include "report/chart.hpp"

namespace steward::report {

struct Axis {
  struct Mark { double value; std::string words; };
  std::vector<Mark> marks;  // two at least; the first and the last are the ends of the axis
  double least() const { return marks.front().value; }
  double most() const { return marks.back().value; }
};

// An axis that holds both values with about `steps` steps.
Axis axis_over(Chart::Unit unit, double least, double most, int steps);

// "9.3 EB", "40 k", "1.2 M": at most 8 characters for whatever fits 64 bits.
std::string short_value(Chart::Unit unit, double value);

}  // namespace steward::report
