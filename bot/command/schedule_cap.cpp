#include "command/schedule_cap.hpp"

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::command {

namespace {

bool above(std::int64_t planned, std::int64_t cap) { return cap != no_cap && planned > cap; }

}  // namespace

void set_cap(db::ScheduleRow& schedule, const jobs::Plan& confirmed) {
  schedule.level = confirmed.level;
  schedule.cap_items = 2 * static_cast<std::int64_t>(confirmed.items.size());
  schedule.cap_rows = 2 * confirmed.rows;
  schedule.cap_bytes = 2 * confirmed.bytes.count;
}

std::string cap_words(const db::ScheduleRow& schedule) {
  std::string words = core::plural(schedule.cap_items, "item", "items");
  if (schedule.cap_rows > 0) words += ", " + core::plural(schedule.cap_rows, "row", "rows");
  if (schedule.cap_bytes > 0) words += ", " + core::format_size(core::Bytes{schedule.cap_bytes});
  return words;
}

void keep_to_cap(jobs::Plan& plan, const db::ScheduleRow& schedule) {
  plan.parameters["schedule"] = std::to_string(schedule.number);
  std::string why;
  if (above(static_cast<std::int64_t>(plan.items.size()), schedule.cap_items) || above(plan.rows, schedule.cap_rows) || above(plan.bytes.count, schedule.cap_bytes))
    why = fmt::format("above the cap of schedule {} ({})", schedule.number, cap_words(schedule));
  else if (plan.level > schedule.level)
    why = fmt::format("more dangerous than what schedule {} was confirmed with", schedule.number);
  if (why.empty()) {
    plan.confirmed_by = schedule.confirmed_by.str();
    return;
  }
  plan.lines.push_back(fmt::format("Waits for a person: {}. When these ten minutes are over, !schedule run {} plans it anew", why, schedule.number));
}

}  // namespace steward::command
