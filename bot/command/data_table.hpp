// The data behind an answer, for --csv, --json and `exec --json`: columns and rows as text, rendered in one place.
// Used by commands. Any thread.
#pragma once

#include <string>
#include <vector>

namespace steward::command {

struct DataTable {
  struct Column {
    std::string name;
    bool number = false;  // written bare in JSON
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

std::string to_json(const DataTable& table);  // [{"name": …}, …]
std::string to_csv(const DataTable& table);   // with a head line; hostile cells defused (core::csv_cell)

}  // namespace steward::command
