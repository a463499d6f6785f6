// The charts that several commands show: what fills something, how the database grew and where that leads, media by month, people by
// day. Used by db_*.cpp, media_usage.cpp, report.cpp and status.cpp. I/O thread where Synapse's database is asked, else any.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "command/context.hpp"
#include "core/error.hpp"
#include "db/growth_store.hpp"
#include "report/chart.hpp"

namespace steward::commands {

// Named numbers in their order; a name that repeats is added up by nobody.
using Named = std::vector<std::pair<std::string, std::int64_t>>;

// Sizes side by side.
report::Chart size_chart(std::string name, std::string title, std::string labels_title, std::string values_title, const Named& sizes);

// The noted days, now, and the way on at the same pace: half as far as the days reach back, a week at least, ninety days at most.
// A day without a note is a gap. Without labels when there is nothing noted.
report::Chart growth_chart(const std::vector<db::DaySize>& days, std::int64_t now);

// That picture below the answer, or a line that says why there is none on the first day.
void add_growth_chart(command::Answer& answer, const std::vector<db::DaySize>& days, std::int64_t now);

// Months ("2026-03") in any order; a month between them without media is zero, what is no month is left out.
report::Chart month_chart(const Named& bytes_by_month);

// Media by "month", "type" or "server" as the database counts them, `limit` of them.
boost::asio::awaitable<core::Result<Named>> count_media(std::string by, std::int64_t limit, command::Context& context);
// Who was seen on each of the last days (UTC), oldest first; a day without anybody is zero.
boost::asio::awaitable<core::Result<report::Chart>> visits_chart(std::int64_t days, command::Context& context);

}  // namespace steward::commands
