// Time zones of the system's database, for the two files of core that reckon with dates (calendar.cpp, timetable.cpp). Any thread.
#pragma once

#include <date/tz.h>

#include <string_view>

namespace steward::core {

// nullptr: UTC, also where the zone is unknown or the host has no tzdata.
const date::time_zone* find_zone(std::string_view name);

}  // namespace steward::core
