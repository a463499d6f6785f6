// How much a schedule may take without being asked: twice what it was confirmed with. Used by the dispatcher and by !schedule. Pure.
#pragma once

#include "db/schedule_store.hpp"
#include "jobs/plan.hpp"

namespace steward::command {

// Of that kind a run may take any number.
inline constexpr std::int64_t no_cap = -1;

void set_cap(db::ScheduleRow& schedule, const jobs::Plan& confirmed);
// "54 items, 108 rows, 1.2 MB"
std::string cap_words(const db::ScheduleRow& schedule);
// Marks the plan as this schedule's: confirmed already when it is within the cap and no worse than what was confirmed, else with
// the reason why it waits for a person.
void keep_to_cap(jobs::Plan& plan, const db::ScheduleRow& schedule);

}  // namespace steward::command
