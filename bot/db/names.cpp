#include "db/names.hpp"

#include <algorithm>
#include <stdexcept>

namespace steward::db {

std::string with_names(const Statement& statement, const std::vector<std::pair<std::string_view, std::string_view>>& names) {
  std::string text(statement.text);
  const auto wrong = [&statement](std::string_view name) { return std::logic_error(std::string(statement.name) + ": the name " + std::string(name)); };
  for (const auto& [placeholder, name] : names) {
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    const std::string from = ":\"" + std::string(placeholder) + '"', to = '"' + std::string(name) + '"';
    if (!plain || text.find(from) == std::string::npos) throw wrong(name);
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  }
  if (const std::size_t left = text.find(":\""); left != std::string::npos) throw wrong(text.substr(left, 12));
  return text;
}

}  // namespace steward::db
