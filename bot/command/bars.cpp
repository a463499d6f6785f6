#include "command/bars.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace steward::command {
namespace {

constexpr std::size_t bar_width = 10, label_width = 13;  // with the size: 34 columns

// Pads or cuts to the width that people see.
std::string fitted(const std::string& text, std::size_t width) {
  std::string cut = core::clean_name(text, width);
  // East Asian characters take two columns each.
  for (std::size_t graphemes = width; core::display_width(cut) > width && graphemes > 1;) cut = core::clean_name(text, --graphemes);
  const std::size_t wide = core::display_width(cut);
  if (wide < width) cut.append(width - wide, ' ');
  return cut;
}

}  // namespace

std::string size_bars(const std::vector<Bar>& bars) {
  std::int64_t largest = 1;
  for (const Bar& bar : bars) largest = std::max(largest, bar.size.count);
  std::string drawn;
  for (const Bar& bar : bars) {
    // In doubles: ten times a size may be more than 64 bits hold.
    const double share = static_cast<double>(std::max<std::int64_t>(bar.size.count, 0)) / static_cast<double>(largest);
    const auto length = static_cast<std::size_t>(share * bar_width + 0.999999);
    std::string blocks;
    for (std::size_t step = 0; step < bar_width; ++step) blocks += step < length ? "█" : " ";
    drawn += fmt::format("{}{} {} {:>9}", drawn.empty() ? "" : "\n", fitted(bar.label, label_width), blocks, core::format_size(bar.size));
  }
  return drawn;
}

}  // namespace steward::command
