// bench_chart FOLDER: draws the examples that the README shows into FOLDER and prints how long each chart takes (budget: 200 ms).
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "report/chart.hpp"

namespace {

using steward::report::Chart;

constexpr std::int64_t MB = 1 << 20, GB = 1 << 30;

Chart tables() {
  Chart chart;
  chart.name = "db-size";
  chart.title = "Largest tables";
  chart.labels_title = "table";
  chart.values_title = "size on disk";
  chart.labels = {"state_groups_state", "event_json", "events", "event_auth", "event_edges", "receipts_linearized", "device_lists_remote_cache",
                  "event_search", "state_events", "room_memberships", "e2e_room_keys", "cache_invalidation_stream_by_instance"};
  std::vector<std::optional<std::int64_t>> rows{9100, 6200, 1900, 700, 640, 420, 390, 380, 300, 260, 140, 70}, indexes{6900, 600, 2300, 1100, 900, 510, 410, 340, 350, 290, 60, 80};
  for (auto& value : rows) *value *= MB;
  for (auto& value : indexes) *value *= MB;
  chart.series = {{"rows", rows}, {"indexes", indexes}};
  return chart;
}

std::string day(int offset) {
  using namespace std::chrono;
  const year_month_day date{sys_days{January / 20 / 2026} + days{offset}};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

Chart growth(int known) {
  Chart chart;
  chart.kind = Chart::Kind::lines;
  chart.name = "db-growth";
  chart.title = "Database size";
  chart.labels_title = "day";
  chart.values_title = "size";
  std::mt19937 random(7);
  std::vector<std::optional<std::int64_t>> size, forecast;
  std::int64_t now = 31 * GB;
  for (int at = 0; at < known * 3 / 2; ++at) {
    chart.labels.push_back(day(at));
    if (at < known) now += static_cast<std::int64_t>(random() % (160 * MB));
    size.push_back(at < known ? std::optional(now) : std::nullopt);
    forecast.push_back(at < known - 1 ? std::nullopt : std::optional(now + (at - known + 1) * 80 * MB));
  }
  chart.series = {{"measured", size}, {"forecast", forecast, true}};
  return chart;
}

Chart visits() {
  Chart chart;
  chart.kind = Chart::Kind::lines;
  chart.unit = Chart::Unit::count;
  chart.name = "people-by-day";
  chart.title = "People by day";
  chart.labels_title = "day";
  chart.values_title = "people seen";
  std::mt19937 random(3);
  std::vector<std::optional<std::int64_t>> people;
  for (int at = 0; at < 14; ++at) {
    chart.labels.push_back(day(at));
    people.emplace_back(120 + static_cast<std::int64_t>(random() % 60) - (at % 7 > 4 ? 50 : 0));
  }
  chart.series = {{"people", people}};
  return chart;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    fmt::print(stderr, "usage: bench_chart FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  std::filesystem::create_directories(folder);
  // The first chart of a process also loads the font; the year is only measured.
  Chart year = growth(365);
  year.name = "";
  for (const Chart& chart : {tables(), tables(), growth(30), year, visits()}) {
    const auto started = std::chrono::steady_clock::now();
    const auto picture = steward::report::draw(chart);
    const double took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started).count();
    if (!picture) {
      fmt::print(stderr, "{}: {}\n", chart.name, steward::core::describe(picture.error()));
      return 1;
    }
    if (!chart.name.empty()) std::ofstream(folder / (chart.name + ".png"), std::ios::binary) << *picture;
    fmt::print("{:20} {:6.1f} ms, {} bytes\n  {}\n", chart.name.empty() ? "a year" : chart.name, took, picture->size(), steward::report::caption(chart));
  }
  return 0;
}
