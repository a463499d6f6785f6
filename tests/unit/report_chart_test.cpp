// A chart as text, in words and as a picture, whatever the names and the numbers are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "core/text.hpp"
#include "report/axis.hpp"
#include "report/canvas.hpp"
#include "report/chart.hpp"

namespace steward::report {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();

Chart bars(std::vector<std::string> labels, std::vector<Series> series) {
  Chart chart;
  chart.name = "tables";
  chart.title = "Largest tables";
  chart.labels_title = "table";
  chart.values_title = "size on disk";
  chart.labels = std::move(labels);
  chart.series = std::move(series);
  return chart;
}

Chart course(std::vector<std::optional<std::int64_t>> values, Chart::Unit unit = Chart::Unit::bytes) {
  Chart chart;
  chart.kind = Chart::Kind::lines;
  chart.unit = unit;
  chart.title = "Database size";
  for (std::size_t day = 1; day <= values.size(); ++day) chart.labels.push_back("day " + std::to_string(day));
  chart.series = {{"size", std::move(values)}};
  return chart;
}

Chart hostile() {
  return bars({"\u202Eevil\nname\t\x01", std::string(100'000, 'W'), "\xff\xfe broken", "\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587", "", std::string("nul\0in it", 9)},
              {{"<b>bold</b>\u202E", {1, 2, 3, 4, 5, 6}}, {std::string(5000, 'M'), {1, 2, 3, 4, 5, 6}}});
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  for (const std::string& line : core::split(text, '\n')) widest = std::max(widest, core::display_width(line));
  return widest;
}

// The numbers of a PNG's header: signature, IHDR, width and height in big endian, then the end chunk.
struct Header { bool png = false; std::uint32_t width = 0, height = 0; };

Header header_of(const std::string& bytes) {
  if (bytes.size() < 45 || !bytes.starts_with("\x89PNG\r\n\x1a\n") || bytes.substr(12, 4) != "IHDR") return {};
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t index = 0; index < 4; ++index) value = value << 8 | static_cast<unsigned char>(bytes[at + index]);
    return value;
  };
  return {bytes.substr(bytes.size() - 8, 4) == "IEND", number(16), number(20)};
}

void expect_picture(const Chart& chart) {
  const auto picture = draw(chart);
  ASSERT_TRUE(picture) << core::describe(picture.error());
  const Header header = header_of(*picture);
  EXPECT_TRUE(header.png);
  EXPECT_EQ(header.width, 1080U);
  EXPECT_EQ(header.height, 675U);
}

TEST(ChartText, BarsAreAsLongAsTheirShare) {
  EXPECT_EQ(as_text(bars({"events", "half", "little", "nothing"}, {{"", {1000, 500, 1, 0}}})),
            "events        ██████████    1000 B\n"
            "half          █████          500 B\n"
            "little        █                1 B\n"
            "nothing                        0 B");
}

TEST(ChartText, SeveralSeriesOfBarsAreAddedUp) {
  EXPECT_EQ(as_text(bars({"events", "half"}, {{"rows", {600, 100}}, {"indexes", {400, 400}}})),
            "events        ██████████    1000 B\n"
            "half          █████          500 B");
}

TEST(ChartText, CountsHaveTheirOwnWords) {
  Chart chart = bars({"a", "b"}, {{"", {1'204'331, huge}}});
  chart.unit = Chart::Unit::count;
  const auto lines = core::split(as_text(chart), '\n');
  EXPECT_THAT(lines[0], HasSubstr("1\u202f204\u202f331"));
  EXPECT_THAT(lines[1], HasSubstr("9.2 qn"));
  EXPECT_LE(widest_line(as_text(chart)), 34U);
}

TEST(ChartText, NoLineIsWiderThanAPhone) {
  Chart chart = hostile();
  EXPECT_LE(widest_line(as_text(chart)), 34U);
  EXPECT_EQ(core::split(as_text(chart), '\n').size(), 6U) << "a line break in a name breaks no line";
  chart.kind = Chart::Kind::lines;
  EXPECT_LE(widest_line(as_text(chart)), 34U);
  std::vector<std::optional<std::int64_t>> year;
  for (std::int64_t day = 0; day < 365; ++day) year.emplace_back(day << 30);
  EXPECT_EQ(widest_line(as_text(course(year))), 34U);
}

TEST(ChartText, ACourseIsASparkline) {
  EXPECT_EQ(as_text(course({1024, 8192, 2048})),
            "▁█▂\n"
            "day 1 – day 3\n"
            "1.0 kB → 2.0 kB\n"
            "least 1.0 kB, most 8.0 kB");
}

TEST(ChartText, UnknownDaysAreGapsAndEndsAreLeftOut) {
  EXPECT_EQ(core::split(as_text(course({std::nullopt, 1, std::nullopt, 8, std::nullopt}, Chart::Unit::count)), '\n').front(), "▁ █");
}

TEST(ChartText, TheSamePropertyTwiceIsALowLine) { EXPECT_TRUE(as_text(course({5, 5, 5})).starts_with("▁▁▁\n")); }

TEST(Caption, SaysTheNumbers) {
  EXPECT_EQ(caption(bars({"events", "rooms"}, {{"", {2048, 1024}}})), "Largest tables: events 2.0 kB, rooms 1.0 kB");
  EXPECT_EQ(caption(bars({"events"}, {{"rows", {2048}}, {"indexes", {1024}}})), "Largest tables: events 3.0 kB; of these rows 2.0 kB, indexes 1.0 kB");
  EXPECT_EQ(caption(course({1024, 8192, 2048})), "Database size: 1.0 kB (day 1) → 2.0 kB (day 3), least 1.0 kB, most 8.0 kB");
}

TEST(Caption, NamesTheForecast) {
  Chart chart = course({1024, 2048, std::nullopt});
  chart.series.push_back({"forecast", {std::nullopt, 2048, 3072}, true});
  EXPECT_EQ(caption(chart), "Database size: size 1.0 kB (day 1) → 2.0 kB (day 2); forecast 2.0 kB (day 2) → 3.0 kB (day 3)");
}

TEST(Caption, OfHostileNamesIsOneShortCleanLine) {
  const std::string text = caption(hostile());
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(text.find("\u202E"), std::string::npos);
  EXPECT_TRUE(core::is_valid_utf8(text));
  EXPECT_LT(core::display_width(text), 500U);
}

TEST(Chart, WithoutValuesSaysSo) {
  for (const Chart::Kind kind : {Chart::Kind::bars, Chart::Kind::lines}) {
    Chart chart = bars({}, {});
    chart.kind = kind;
    EXPECT_EQ(as_text(chart), "no data");
    EXPECT_EQ(caption(chart), "Largest tables: no data");
    expect_picture(chart);
    chart.labels = {"one", "two"};
    chart.series = {{"known by nobody", {}}};
    expect_picture(chart);
    EXPECT_THAT(caption(chart), HasSubstr(kind == Chart::Kind::bars ? "one not known" : "no data"));
  }
}

TEST(Chart, OfOneValue) {
  expect_picture(bars({"only"}, {{"", {7}}}));
  expect_picture(course({7}));
  EXPECT_EQ(as_text(course({7}, Chart::Unit::count)), "▁\nday 1 – day 1\n7 → 7");
  EXPECT_EQ(caption(course({7}, Chart::Unit::count)), "Database size: 7 (day 1)");
}

TEST(Chart, OfHugeAndNegativeValues) {
  const Chart chart = bars({"a", "b", "c"}, {{"x", {huge, -5, 0}}, {"y", {huge, huge, 0}}});
  EXPECT_LE(widest_line(as_text(chart)), 34U);
  EXPECT_THAT(caption(chart), HasSubstr("a 8.0 EB"));
  expect_picture(chart);
  expect_picture(course({huge, 0, huge / 2, std::numeric_limits<std::int64_t>::min()}));
  expect_picture(course({0, 0, 0}));
  expect_picture(course({huge, huge}));
}

TEST(Chart, ShowsSixSeriesAtMost) {
  std::vector<Series> eight;
  for (int index = 0; index < 8; ++index) eight.push_back({"s" + std::to_string(index), {1 << index}});
  const Chart shown = shown_part(bars({"all"}, eight));
  ASSERT_EQ(shown.series.size(), 6U);
  EXPECT_EQ(shown.series[4].name, "s4");
  EXPECT_EQ(shown.series[5].name, "others");
  EXPECT_EQ(shown.series[5].values[0], 32 + 64 + 128);
  EXPECT_THAT(caption(bars({"all"}, eight)), HasSubstr("all 255 B"));
  expect_picture(bars({"all"}, eight));
}

TEST(Chart, ShowsTwelveBarsAtMost) {
  std::vector<std::string> labels;
  std::vector<std::optional<std::int64_t>> values;
  for (int index = 0; index < 20; ++index) {
    labels.push_back("t" + std::to_string(index));
    values.emplace_back(100 - index);
  }
  const Chart chart = bars(labels, {{"", values}});
  EXPECT_EQ(core::split(as_text(chart), '\n').size(), 12U);
  EXPECT_TRUE(caption(chart).ends_with("t11 89 B; and 8 more")) << caption(chart);
  expect_picture(chart);
}

TEST(Picture, OfHostileNames) {
  Chart chart = hostile();
  expect_picture(chart);
  chart.title = std::string(3000, 'T');
  chart.labels_title = chart.values_title = std::string(3000, 'A');
  expect_picture(chart);
  chart.kind = Chart::Kind::lines;
  expect_picture(chart);
}

TEST(Picture, OfAYear) {
  std::vector<std::optional<std::int64_t>> year;
  for (std::int64_t day = 0; day < 365; ++day) year.emplace_back((8LL << 30) + (day << 20));
  expect_picture(course(year));
}

TEST(Picture, TextIsCutToItsRoomAndNoFurther) {
  Canvas canvas(200, 100);
  const Canvas::Font font{28, false};
  EXPECT_EQ(canvas.shortened("events", 500, font), "events");
  for (const std::string& text : {std::string("event_json_and_more_words"), std::string(1000, 'W'), std::string("\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587")}) {
    const std::string cut = canvas.shortened(text, 120, font);
    EXPECT_LE(canvas.width_of(cut, font), 120) << cut;
    EXPECT_GT(canvas.width_of(cut, font), 60) << cut;
    EXPECT_THAT(cut, HasSubstr("…"));
  }
}

TEST(Picture, NothingJoinsWhatWasDrawnBefore) {
  const auto drawn = [](bool text_first) {
    Canvas canvas(300, 200);
    const auto write = [&] { canvas.text({20, 40}, "text", {28, false}, {0, 0, 0}); };
    if (text_first) write();
    canvas.line({{150, 150}, {280, 180}}, 4, {1, 0, 0});
    canvas.dot({250, 60}, 8, {0, 0, 1});
    canvas.line({{20, 180}, {100, 180}}, 4, {1, 0, 0}, true);
    if (!text_first) write();
    return *canvas.png();
  };
  EXPECT_EQ(drawn(true), drawn(false));
}

TEST(Picture, WhatIsDrawnIsSeen) {
  EXPECT_NE(*draw(bars({"a"}, {{"", {1}}})), *draw(bars({"b"}, {{"", {1}}})));
  EXPECT_NE(*draw(course({1, 2})), *draw(course({2, 1})));
  Chart dashed = course({1, 2});
  dashed.series[0].forecast = true;
  EXPECT_NE(*draw(dashed), *draw(course({1, 2})));
}

std::vector<std::string> words_of(const Axis& axis) {
  std::vector<std::string> words;
  for (const Axis::Mark& mark : axis.marks) words.push_back(mark.words);
  return words;
}

TEST(Axis, HasRoundMarksThatHoldTheValues) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words_of(axis_over(Chart::Unit::bytes, 0, 3.7 * 1024 * 1024, 4)), (Words{"0", "1 MB", "2 MB", "3 MB", "4 MB"}));
  EXPECT_EQ(words_of(axis_over(Chart::Unit::count, 0, 3, 5)), (Words{"0", "1", "2", "3"}));
  EXPECT_EQ(words_of(axis_over(Chart::Unit::count, 0, 0, 5)), (Words{"0", "1"}));
  EXPECT_EQ(words_of(axis_over(Chart::Unit::bytes, 8.1 * (1 << 30), 8.4 * (1 << 30), 4)), (Words{"8.1 GB", "8.2 GB", "8.3 GB", "8.4 GB"}));
  EXPECT_EQ(words_of(axis_over(Chart::Unit::count, 0, 40'000, 4)), (Words{"0", "10 k", "20 k", "30 k", "40 k"}));
}

TEST(Axis, HoldsWhatever64BitsHold) {
  for (const double most : {1.0, 7.0, 999.0, 1023.9, 1e6, 1.7e12, 9.3e18})
    for (const Chart::Unit unit : {Chart::Unit::bytes, Chart::Unit::count})
      for (const double least : {0.0, most * 0.7, -most}) {
        const Axis axis = axis_over(unit, least, most, 5);
        EXPECT_LE(axis.least(), least + most * 1e-6);
        EXPECT_GE(axis.most(), most * (1 - 1e-6));
        EXPECT_LE(axis.marks.size(), 8U);
        for (const std::string& words : words_of(axis)) EXPECT_LE(words.size(), 9U) << words;
      }
}

}  // namespace
}  // namespace steward::report
