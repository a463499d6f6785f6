#include "commands/danger.hpp"

#include <fmt/format.h>

#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

boost::asio::awaitable<core::Result<DangerSigns>> danger_signs(db::Session& work) {
  auto rows = co_await work.query(db::sql::rooms_danger);
  if (!rows) co_return core::fail(rows.error());
  DangerSigns signs;
  for (const std::string& name : rows->front().columns()) signs.emplace_back(name, rows->front().integer(name));
  co_return signs;
}

std::string danger_line(const core::Result<DangerSigns>& before, const core::Result<DangerSigns>& after) {
  if (!before) return "Danger checks: not made, " + core::describe(before.error());
  if (!after) return "Danger checks: not made afterwards, " + core::describe(after.error());
  std::vector<std::string> grown;
  for (std::size_t index = 0; index < after->size() && index < before->size(); ++index)
    if ((*after)[index].second > (*before)[index].second)
      grown.push_back(fmt::format("{} {} → {}", (*after)[index].first, (*before)[index].second, (*after)[index].second));
  if (grown.empty()) return "Danger checks: nothing grew";
  return "⚠ DANGER: signs of damage grew, stop cleaning and look at the server: " + core::join(grown, ", ");
}

}  // namespace steward::commands
