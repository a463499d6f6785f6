#include "report/canvas.hpp"

#include <cairo.h>
#include <malloc.h>

#include <array>
#include <numbers>

#include "core/text.hpp"

namespace steward::report {

// In an error cairo's objects are inert and remember it: it is asked once, at the end.
struct Canvas::State {
  State(int width, int height)
      : surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height)), cairo(cairo_create(surface)) {}
  ~State() {
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
#ifdef __GLIBC__
    // Three megabytes of pixels and the PNG's buffers would stay with a bot that draws once a week.
    malloc_trim(0);
#endif
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void colour(Colour colour) { cairo_set_source_rgb(cairo, colour.red, colour.green, colour.blue); }
  void font(Font font) {
    cairo_select_font_face(cairo, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, font.size);
  }

  cairo_surface_t* surface;
  cairo_t* cairo;
};

namespace {

constexpr std::size_t longest_text = 80;  // characters; no row of the picture holds more

// Called by a library in C: an exception must not pass through it.
cairo_status_t append(void* target, const unsigned char* data, unsigned int length) noexcept {
  try {
    static_cast<std::string*>(target)->append(reinterpret_cast<const char*>(data), length);
    return CAIRO_STATUS_SUCCESS;
  } catch (...) {
    return CAIRO_STATUS_WRITE_ERROR;
  }
}

}  // namespace

Canvas::Canvas(int width, int height) : state_(std::make_unique<State>(width, height)) {
  rectangle({0, 0}, width, height, {1, 1, 1});
}
Canvas::~Canvas() = default;

void Canvas::rectangle(Point corner, double width, double height, Colour colour) {
  state_->colour(colour);
  cairo_rectangle(state_->cairo, corner.x, corner.y, width, height);
  cairo_fill(state_->cairo);
}

void Canvas::line(const std::vector<Point>& points, double width, Colour colour, bool dashed) {
  constexpr std::array<double, 2> dashes{16, 12};
  state_->colour(colour);
  cairo_set_line_width(state_->cairo, width);
  cairo_set_line_cap(state_->cairo, dashed ? CAIRO_LINE_CAP_BUTT : CAIRO_LINE_CAP_ROUND);
  cairo_set_dash(state_->cairo, dashes.data(), dashed ? static_cast<int>(dashes.size()) : 0, 0);
  cairo_set_line_join(state_->cairo, CAIRO_LINE_JOIN_ROUND);
  cairo_new_path(state_->cairo);  // text leaves its end as the point where a line would begin
  for (const Point& point : points) cairo_line_to(state_->cairo, point.x, point.y);
  cairo_stroke(state_->cairo);
}

void Canvas::dot(Point centre, double radius, Colour colour) {
  state_->colour(colour);
  cairo_new_path(state_->cairo);
  cairo_arc(state_->cairo, centre.x, centre.y, radius, 0, 2 * std::numbers::pi);
  cairo_fill(state_->cairo);
}

void Canvas::text(Point at, const std::string& text, Font font, Colour colour, Align align) {
  const double width = align == Align::left ? 0 : width_of(text, font);
  state_->font(font);
  state_->colour(colour);
  cairo_move_to(state_->cairo, at.x - (align == Align::right ? width : width / 2), at.y);
  cairo_show_text(state_->cairo, text.c_str());
}

double Canvas::width_of(const std::string& text, Font font) {
  state_->font(font);
  cairo_text_extents_t extents{};
  cairo_text_extents(state_->cairo, text.c_str(), &extents);
  return extents.x_advance;
}

std::string Canvas::shortened(const std::string& text, double most, Font font) {
  std::string cut = core::clean_name(text, longest_text);
  for (std::size_t graphemes = longest_text; graphemes > 1 && width_of(cut, font) > most;) {
    // Not one by one from eighty: what is shown is at least as long as the last cut.
    graphemes = std::min(graphemes - 1, core::to_code_points(cut).size());
    cut = core::clean_name(text, graphemes);
  }
  return cut;
}

core::Result<std::string> Canvas::png() {
  std::string bytes;
  cairo_surface_flush(state_->surface);
  cairo_status_t status = cairo_status(state_->cairo);
  if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_write_to_png_stream(state_->surface, append, &bytes);
  if (status == CAIRO_STATUS_SUCCESS) return bytes;
  return core::fail(core::Code::internal, "The picture could not be drawn", cairo_status_to_string(status));
}

}  // namespace steward::report
