// What a report counts, with what was counted before. Used by report.cpp only. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "commands/host_actions.hpp"
#include "db/figure_store.hpp"
#include "db/growth_store.hpp"

namespace steward::commands {

struct ReportFigures {
  std::chrono::seconds window{};
  std::map<std::string, std::int64_t> now;
  std::optional<db::Figures> before;
  db::WorkDone work;
  std::vector<db::DaySize> days;      // of the database, the last 30
  std::vector<DiskFigure> disks;      // where steward-host may look
  std::vector<std::string> left_out;  // what could not be asked, and why
  std::string synapse;                // version and how far behind, or that it is away
  bool healthy = false;

  std::optional<std::int64_t> value(const std::string& name) const;
  std::optional<std::int64_t> value_before(const std::string& name) const;
};

// Asks Synapse, its database and the bot's own store, and keeps the numbers for the next report. What cannot be asked is left out
// and named; an error only when the store is away.
boost::asio::awaitable<core::Result<ReportFigures>> gather_figures(std::chrono::seconds window, command::Context& context);

// In how many days the disk below the database is full at the present growth; nullopt: not known, or it does not grow.
std::optional<std::int64_t> days_until_full(const ReportFigures& figures);

}  // namespace steward::commands
