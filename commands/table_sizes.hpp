// Sizes of tables now and before: the daily snapshot that app's housekeeping notes at start and every hour, and what db-growth and the
// reports make of it. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>

#include "command/context.hpp"
#include "core/error.hpp"
#include "db/growth_store.hpp"

namespace steward::commands {

// Notes today's sizes unless that is done, and forgets those older than 400 days. Nothing happens without Synapse's database.
boost::asio::awaitable<core::Result<void>> note_table_sizes(command::Services& services);

struct TableGrowth {
  std::string name;
  std::int64_t before = 0, now = 0;
  std::int64_t grown() const { return now - before; }
};

// All tables, and last the whole database under the name "".
boost::asio::awaitable<core::Result<std::vector<db::TableSize>>> measure_tables(db::Session& read);
// Without the whole database, what changed most first.
std::vector<TableGrowth> compare_sizes(const std::vector<db::TableSize>& before, const std::vector<db::TableSize>& now);
std::string growth_words(std::int64_t bytes);  // "+1.2 GB"
// From the size of then and the size of now; nullopt when they are less than a day apart.
std::optional<double> growth_per_day(const db::DaySize& first, std::int64_t now);
// "Forecast: +12 MB a day; ≈ 9.1 GB in 30 days …" from a size of then and the size of now.
std::string growth_forecast(const db::DaySize& first, std::int64_t now);

}  // namespace steward::commands
