#include "commands/database_reports.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/units.hpp"

namespace steward::commands {

std::int64_t rows_wanted(const command::Arguments& arguments) {
  const bool as_file = arguments.flag("csv") || arguments.flag("json");
  return std::min(arguments.integer("limit").value_or(as_file ? rows_in_file : rows_in_card), rows_in_file);
}

std::size_t rows_shown(std::size_t found) { return std::min(found, static_cast<std::size_t>(rows_in_card)); }

void attach(command::Answer& answer, const command::Arguments& arguments, const command::DataTable& table, const std::string& name) {
  answer.json = command::to_json(table);
  if (arguments.flag("csv")) answer.files.push_back({name + ".csv", "text/csv", command::to_csv(table), name});
  if (arguments.flag("json")) answer.files.push_back({name + ".json", "application/json", answer.json, name});
}

void tell_rest(command::Answer& answer, const command::Arguments& arguments, std::int64_t all, std::size_t shown) {
  const std::int64_t rest = all - static_cast<std::int64_t>(shown);
  if (rest <= 0 || arguments.flag("csv") || arguments.flag("json")) return;
  answer.message.paragraph(fmt::format("and {} more; all of them as a file: --csv", core::format_count(rest)));
}

std::string wraparound_text(std::int64_t transactions_age) {
  return fmt::format("{:.1f} % of the way to where PostgreSQL stops writing", static_cast<double>(transactions_age) / 2e9 * 100.0);
}

}  // namespace steward::commands
