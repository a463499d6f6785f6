// draw(): where everything stands in the picture. Read on a phone, a third of its size: large letters, few lines, no text over another.
// Bars lie on their side, since names are wide; lines run from left to right.
#include <algorithm>
#include <array>
#include <cmath>
#include <exception>

#include "report/axis.hpp"
#include "report/canvas.hpp"
#include "report/chart.hpp"

namespace steward::report {
namespace {

using Align = Canvas::Align;

constexpr double width = picture_width, height = picture_height;
constexpr double margin = 28, gap = 14;
constexpr double title_line = 58, second_line = 108, marks_line = height - 66, titles_line = height - 22;
constexpr Canvas::Font title_font{40, true}, font{28, false};
constexpr Colour ink{0.13, 0.13, 0.15}, grey{0.38, 0.38, 0.42}, grid{0.88, 0.88, 0.90}, axis_colour{0.45, 0.45, 0.50};
// Told apart by people who see colours differently (after Okabe and Ito), dark enough on white.
constexpr std::array<Colour, most_series> colours{{{0.00, 0.45, 0.70}, {0.90, 0.60, 0.00}, {0.00, 0.62, 0.45}, {0.80, 0.40, 0.65}, {0.35, 0.70, 0.90}, {0.55, 0.55, 0.58}}};

struct Area { double left = 0, top = 0, right = 0, bottom = 0; };

double value_of(const std::optional<std::int64_t>& value) { return static_cast<double>(value.value_or(0)); }

class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart), canvas_(picture_width, picture_height) {}

  core::Result<std::string> picture() {
    canvas_.text({margin, title_line}, canvas_.shortened(chart_.title, width - 2 * margin, title_font), title_font, ink);
    if (chart_.labels.empty() || chart_.series.empty()) {
      canvas_.text({width / 2, height / 2}, "no data", font, grey, Align::middle);
    } else if (chart_.kind == Chart::Kind::bars) {
      draw_bars();
    } else {
      draw_lines();
    }
    return canvas_.png();
  }

 private:
  // Both kinds.
  double widest(const std::vector<std::string>& texts) {
    double most = 0;
    for (const std::string& text : texts) most = std::max(most, canvas_.width_of(text, font));
    return most;
  }
  double widest_mark(const Axis& axis) {
    double most = 0;
    for (const Axis::Mark& mark : axis.marks) most = std::max(most, canvas_.width_of(mark.words, font));
    return most;
  }

  // From the right margin leftwards, not beyond `left`: a sign in the series' colour and its name.
  void draw_legend(double left) {
    constexpr double sign = 34;
    const auto count = static_cast<double>(chart_.series.size());
    const double room = (width - margin - left) / count - sign - gap - 2 * gap;
    std::vector<std::string> names;
    double x = width - margin;
    for (const Series& series : chart_.series) names.push_back(canvas_.shortened(series.name, room, font));
    for (const std::string& name : names) x -= canvas_.width_of(name, font) + sign + gap + 2 * gap;
    for (std::size_t index = 0; index < names.size(); ++index) {
      x += 2 * gap;
      const double middle = second_line - 10;
      if (chart_.kind == Chart::Kind::bars) canvas_.rectangle({x, middle - 12}, sign - 8, 24, colours[index]);
      else canvas_.line({{x, middle}, {x + sign, middle}}, 6, colours[index], chart_.series[index].forecast);
      x += sign + gap;
      canvas_.text({x, second_line}, names[index], font, ink);
      x += canvas_.width_of(names[index], font);
    }
  }

  // Bars.
  std::vector<double> totals() const {
    std::vector<double> all(chart_.labels.size());
    for (const Series& series : chart_.series)
      for (std::size_t at = 0; at < all.size(); ++at) all[at] += std::max(0.0, value_of(series.values[at]));
    return all;
  }

  // As many steps as have room for their words.
  Axis flat_axis(double most, double length) {
    for (int steps = 5; steps > 1; --steps) {
      Axis axis = axis_over(chart_.unit, 0, most, steps);
      if (widest_mark(axis) + 2 * gap <= length / static_cast<double>(axis.marks.size() - 1)) return axis;
    }
    return axis_over(chart_.unit, 0, most, 1);
  }

  void draw_bars() {
    const std::vector<double> all = totals();
    const double most = *std::max_element(all.begin(), all.end());
    std::vector<std::string> names, words;
    for (const std::string& label : chart_.labels) names.push_back(canvas_.shortened(label, width * 0.36, font));
    for (const double total : all) words.push_back(short_value(chart_.unit, total));
    const bool legend = chart_.series.size() > 1;
    if (legend) draw_legend(margin);
    Area area{margin + std::max(widest(names), 120.0) + gap, (legend ? second_line : title_line) + 26, 0, marks_line - 40};
    area.right = width - margin - widest(words) - gap;
    draw_flat_axis(flat_axis(most, area.right - area.left), most, area);
    const double pitch = (area.bottom - area.top) / static_cast<double>(all.size()), thickness = std::min(pitch * 0.64, 54.0);
    for (std::size_t at = 0; at < all.size(); ++at) {
      const double middle = area.top + (static_cast<double>(at) + 0.5) * pitch;
      canvas_.text({area.left - gap, middle + 10}, names[at], font, ink, Align::right);
      const double end = draw_bar(at, middle - thickness / 2, thickness, (area.right - area.left) / std::max(1.0, most), area.left);
      // On white, so that no line of the axis runs through the number.
      canvas_.rectangle({end + 4, middle - 16}, canvas_.width_of(words[at], font) + gap, 32, {1, 1, 1});
      canvas_.text({end + gap, middle + 10}, words[at], font, ink);
    }
  }

  // The parts of one bar, one after another; returns where it ends.
  double draw_bar(std::size_t at, double top, double thickness, double scale, double x) {
    for (std::size_t index = 0; index < chart_.series.size(); ++index) {
      const double length = std::max(0.0, value_of(chart_.series[index].values[at])) * scale;
      canvas_.rectangle({x, top}, length, thickness, colours[index]);
      x += length;
    }
    return x;
  }

  // The longest bar takes the whole length: a mark beyond it is not shown.
  void draw_flat_axis(const Axis& axis, double most, const Area& area) {
    for (const Axis::Mark& mark : axis.marks) {
      const double x = area.left + mark.value / std::max(1.0, most) * (area.right - area.left);
      if (x > area.right + 1) continue;
      canvas_.line({{x, area.top}, {x, area.bottom}}, 2, mark.value == 0 ? axis_colour : grid);
      // The first stands over the names' column, which is free there; the last has the values' column.
      canvas_.text({x, marks_line}, mark.words, font, grey, Align::middle);
    }
    const double names = area.left - margin - gap;
    canvas_.text({margin, titles_line}, canvas_.shortened(chart_.labels_title, names, font), font, grey);
    const double values = width - margin - area.left;
    canvas_.text({(area.left + width - margin) / 2, titles_line}, canvas_.shortened(chart_.values_title, values, font), font, grey, Align::middle);
  }

  // Lines.
  Axis upright_axis() const {
    double least = 0, most = 0;
    bool any = false;
    for (const Series& series : chart_.series)
      for (const auto& value : series.values)
        if (value) {
          least = any ? std::min(least, value_of(value)) : value_of(value);
          most = any ? std::max(most, value_of(value)) : value_of(value);
          any = true;
        }
    // A course between 7.9 and 8.4 GB would be a flat line over zero; what starts low starts at zero.
    if (least > 0 && (least < 0.6 * most || least == most)) least = 0;
    return axis_over(chart_.unit, least, most, 5);
  }

  void draw_lines() {
    const bool legend = chart_.series.size() > 1;
    const std::string title = canvas_.shortened(chart_.values_title, legend ? width * 0.36 : width - 2 * margin, font);
    canvas_.text({margin, second_line}, title, font, grey);
    if (legend) draw_legend(margin + canvas_.width_of(title, font) + gap);
    const Axis axis = upright_axis();
    const Area area{margin + widest_mark(axis) + gap, second_line + 36, width - margin - 16, marks_line - 40};
    for (const Axis::Mark& mark : axis.marks) {
      const double y = height_of(mark.value, axis, area);
      canvas_.line({{area.left, y}, {area.right, y}}, 2, &mark == &axis.marks.front() ? axis_colour : grid);
      canvas_.text({area.left - gap, y + 10}, mark.words, font, grey, Align::right);
    }
    draw_labels(area);
    canvas_.text({(area.left + area.right) / 2, titles_line}, canvas_.shortened(chart_.labels_title, area.right - area.left, font), font, grey, Align::middle);
    // The first series is what it is about: it lies above the others.
    for (std::size_t index = chart_.series.size(); index-- > 0;) draw_course(index, axis, area);
  }

  static double height_of(double value, const Axis& axis, const Area& area) {
    return area.bottom - (value - axis.least()) / (axis.most() - axis.least()) * (area.bottom - area.top);
  }

  double place_of(std::size_t at, const Area& area) const {
    const std::size_t steps = chart_.labels.size() - 1;
    if (steps == 0) return (area.left + area.right) / 2;
    return area.left + static_cast<double>(at) / static_cast<double>(steps) * (area.right - area.left);
  }

  // The first and the last one, and at equal distances what has room between them.
  void draw_labels(const Area& area) {
    const std::size_t last = chart_.labels.size() - 1;
    std::vector<std::string> texts;
    for (const std::string& label : chart_.labels) texts.push_back(canvas_.shortened(label, 240, font));
    const double room = widest(texts) + 2 * gap;
    const auto most = static_cast<std::size_t>(std::max(1.0, std::floor((area.right - area.left) / room)));
    const std::size_t step = std::max<std::size_t>(1, (last + most - 1) / most);
    std::vector<std::size_t> chosen;
    for (std::size_t at = 0; at < last; at += step) chosen.push_back(at);
    // The last one is pushed to the left by the picture's edge: what leaves it no room gives way.
    while (chosen.size() > 1 && place_of(last, area) - place_of(chosen.back(), area) < room * 1.4) chosen.pop_back();
    chosen.push_back(last);
    double free_from = 0;
    for (const std::size_t at : chosen) free_from = draw_label(texts[at], place_of(at, area), free_from, area);
  }

  // Within the picture; not at all where another one ends later than it begins.
  double draw_label(const std::string& text, double x, double free_from, const Area& area) {
    const double wide = canvas_.width_of(text, font);
    const double left = std::clamp(x - wide / 2, margin, width - margin - wide);
    if (left < free_from) return free_from;
    canvas_.line({{x, area.bottom}, {x, area.bottom + 8}}, 2, axis_colour);
    canvas_.text({left, marks_line}, text, font, grey);
    return left + wide + gap;
  }

  void draw_course(std::size_t index, const Axis& axis, const Area& area) {
    const Series& series = chart_.series[index];
    std::vector<Point> points;
    for (std::size_t at = 0; at < series.values.size(); ++at)
      if (series.values[at]) points.push_back({place_of(at, area), height_of(value_of(series.values[at]), axis, area)});
    canvas_.line(points, 6, colours[index], series.forecast);
    if (points.size() > 40 || (series.forecast && points.size() > 1)) return;
    for (const Point& point : points) canvas_.dot(point, 8, colours[index]);
  }

  const Chart& chart_;
  Canvas canvas_;
};

}  // namespace

core::Result<std::string> draw(const Chart& chart) {
  try {
    const Chart shown = shown_part(chart);
    return Drawing(shown).picture();
  } catch (const std::exception& failure) {
    return core::fail(core::Code::internal, "The picture could not be drawn", failure.what());
  }
}

}  // namespace steward::report
