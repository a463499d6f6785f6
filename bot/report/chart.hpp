// A chart as a value: what a command wants to show, how it reads as text and in words, and draw() for the picture.
// Commands fill it, the dispatcher sends it. Any thread; draw() takes tens of milliseconds and is not for the I/O thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace steward::report {

struct Series {
  std::string name;                                 // in the legend; a single one needs none
  std::vector<std::optional<std::int64_t>> values;  // one for each label; nothing where it is not known
  bool forecast = false;                            // a dashed line
};

struct Chart {
  enum class Kind { bars, lines };   // bars: things compared, stacked when there are several series; lines: a course over time
  enum class Unit { bytes, count };
  Kind kind = Kind::bars;
  Unit unit = Unit::bytes;
  std::string name;                  // of the picture's file, without its ending
  std::string title;
  std::string labels_title;          // what the labels are: "table", "day"
  std::string values_title;          // what is measured: "size on disk"
  std::vector<std::string> labels;   // from outside; cleaned and cut wherever they are shown
  std::vector<Series> series;
};

inline constexpr std::size_t most_series = 6;
inline constexpr std::size_t most_bars = 12;
inline constexpr int picture_width = 1080, picture_height = 675;

// What is shown of it: no more bars than fit, further series added up as "others", each with one value per label.
Chart shown_part(Chart chart);

// At most 34 columns wide, so that a phone does not break the lines: for Message::preformatted and the terminal.
// Bars of blocks, or a sparkline for each series.
std::string as_text(const Chart& chart);

// The numbers in words, on one line: the picture's caption, which is also what a screen reader says.
std::string caption(const Chart& chart);

// "1.4 GB", or "1 204 331".
std::string value_words(Chart::Unit unit, std::int64_t value);

// A PNG of 1080 × 675. An error when the drawing library has no memory left.
core::Result<std::string> draw(const Chart& chart);

}  // namespace steward::report
