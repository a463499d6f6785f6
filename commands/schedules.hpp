// What schedules and policies share: a policy is a schedule of !run-policy with a bound on what one run may take. Used by schedules.cpp
// and policies.cpp only. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "command/context.hpp"
#include "core/units.hpp"

namespace steward::commands {

inline constexpr std::string_view policy_command = "run-policy";
bool is_policy(const db::ScheduleRow& schedule);

struct Bound {
  std::int64_t items = 0;
  std::optional<core::Bytes> bytes;
};

// The plan of a schedule: when it runs, what it would do now by its own dry run, how much a run may take: the bound, or twice what
// it would take now. `command` is whose plan it is. bad_input: as core::parse_timetable and command::read_scheduled.
boost::asio::awaitable<core::Result<jobs::Plan>> plan_schedule(std::string command, std::string when, std::string line, std::optional<Bound> bound,
                                                               command::Context& context);
// Makes the schedule of that plan; once, also when it is called again after a crash.
boost::asio::awaitable<core::Result<jobs::Receipt>> make_schedule(jobs::Plan plan, jobs::Progress& progress, command::Context& context);

// The list that `arguments` (limit) ask for; of policies only, or of all.
boost::asio::awaitable<core::Result<command::Answer>> list_schedules(command::Arguments arguments, bool policies, command::Context& context);
boost::asio::awaitable<core::Result<db::ScheduleRow>> find_schedule(std::int64_t number, command::Context& context);

}  // namespace steward::commands
