#include "command/data_table.hpp"

#include <nlohmann/json.hpp>

#include "core/text.hpp"

namespace steward::command {

std::string to_json(const DataTable& table) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const std::vector<std::string>& row : table.rows) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (std::size_t index = 0; index < table.columns.size() && index < row.size(); ++index) {
      const DataTable::Column& column = table.columns[index];
      if (column.number && !row[index].empty())
        object[column.name] = nlohmann::ordered_json::parse(row[index], nullptr, /*allow_exceptions=*/false);
      else
        object[column.name] = row[index];
    }
    rows.push_back(std::move(object));
  }
  return rows.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string to_csv(const DataTable& table) {
  std::vector<std::string> lines;
  std::vector<std::string> cells;
  for (const DataTable::Column& column : table.columns) cells.push_back(core::csv_cell(column.name));
  lines.push_back(core::join(cells, ","));
  for (const std::vector<std::string>& row : table.rows) {
    cells.clear();
    for (const std::string& cell : row) cells.push_back(core::csv_cell(cell));
    lines.push_back(core::join(cells, ","));
  }
  return core::join(lines, "\r\n") + "\r\n";
}

}  // namespace steward::command
