// A white picture and the few things a chart needs to draw on it. Behind it stands cairo, which no other file includes.
// Used by chart_drawing.cpp. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace steward::report {

struct Colour { double red = 0, green = 0, blue = 0; };
struct Point { double x = 0, y = 0; };

class Canvas {
 public:
  enum class Align { left, middle, right };
  struct Font { double size = 28; bool bold = false; };

  Canvas(int width, int height);
  ~Canvas();

  void rectangle(Point corner, double width, double height, Colour colour);
  void line(const std::vector<Point>& points, double width, Colour colour, bool dashed = false);
  void dot(Point centre, double radius, Colour colour);
  // `at` is on the line that the letters stand on. The text is shown as it is: cut it with shortened() before.
  void text(Point at, const std::string& text, Font font, Colour colour, Align align = Align::left);

  double width_of(const std::string& text, Font font);
  // Cleaned of what would disturb the picture, and cut at the end until it is no wider than `most`.
  std::string shortened(const std::string& text, double most, Font font);

  core::Result<std::string> png();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace steward::report
