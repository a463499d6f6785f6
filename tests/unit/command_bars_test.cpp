// Bars of text fit a phone whatever the names and sizes are.
#include <gtest/gtest.h>

#include "command/bars.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

TEST(Bars, AreAsLongAsTheirShare) {
  const std::vector<Bar> bars{{"events", core::Bytes{1000}}, {"half", core::Bytes{500}}, {"little", core::Bytes{1}}, {"nothing", core::Bytes{0}}};
  EXPECT_EQ(size_bars(bars),
            "events        ██████████    1000 B\n"
            "half          █████          500 B\n"
            "little        █                1 B\n"
            "nothing                        0 B");
}

TEST(Bars, NoLineIsWiderThanAPhone) {
  const std::vector<Bar> bars{{"a_very_long_name_of_a_table_indeed", core::Bytes{std::int64_t{900} << 40}}, {"\u202Ehostile\n\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587", core::Bytes{-5}}, {"", core::Bytes{1}}};
  const std::vector<std::string> lines = core::split(size_bars(bars), '\n');
  ASSERT_EQ(lines.size(), 3u);
  for (const std::string& line : lines) EXPECT_LE(core::display_width(line), 34U) << line;
  EXPECT_EQ(lines[1].find("█"), std::string::npos);
  EXPECT_EQ(size_bars({}), "");
}

}  // namespace
}  // namespace steward::command
