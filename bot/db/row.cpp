// Reading the text that PostgreSQL sends, writing the text that it takes.
#include <charconv>
#include <stdexcept>

#include "db/session.hpp"

namespace steward::db {
namespace {

template <class Number>
Number parse(const std::string& text, std::string_view column) {
  Number value{};
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end)
    throw std::out_of_range("column " + std::string(column) + " holds no number of the type asked for");
  return value;
}

// One element of an array literal, starting after '{' or ','; leaves `at` behind it. NULL elements become "".
std::string array_element(std::string_view text, std::size_t& at) {
  std::string element;
  if (at < text.size() && text[at] == '"') {
    for (++at; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      element += text[at];
    }
    ++at;
    return element;
  }
  while (at < text.size() && text[at] != ',' && text[at] != '}') element += text[at++];
  return element == "NULL" ? std::string() : element;
}

}  // namespace

std::size_t Row::index(std::string_view column) const {
  for (std::size_t i = 0; i < columns_->size(); ++i)
    if ((*columns_)[i] == column) return i;
  throw std::out_of_range("the statement returns no column " + std::string(column));
}

bool Row::is_null(std::string_view column) const { return !cells_[index(column)]; }

std::string Row::text(std::string_view column) const { return cells_[index(column)].value_or(std::string()); }

std::int64_t Row::integer(std::string_view column) const {
  const auto& cell = cells_[index(column)];
  return cell ? parse<std::int64_t>(*cell, column) : 0;
}

std::optional<std::int64_t> Row::optional_integer(std::string_view column) const {
  const auto& cell = cells_[index(column)];
  return cell ? std::optional(parse<std::int64_t>(*cell, column)) : std::nullopt;
}

double Row::number(std::string_view column) const {
  const auto& cell = cells_[index(column)];
  return cell ? parse<double>(*cell, column) : 0;
}

bool Row::boolean(std::string_view column) const {
  const auto& cell = cells_[index(column)];
  return cell && *cell == "t";
}

std::vector<std::string> Row::list(std::string_view column) const {
  std::vector<std::string> elements;
  const auto& cell = cells_[index(column)];
  if (!cell || cell->size() < 2 || (*cell)[1] == '}') return elements;
  std::size_t at = 0;
  do {
    ++at;  // past '{' or ','
    elements.push_back(array_element(*cell, at));
  } while (at < cell->size() && (*cell)[at] == ',');
  return elements;
}

Value bind_array(const std::vector<std::string>& values) {
  std::string literal = "{";
  for (const std::string& value : values) {
    if (literal.size() > 1) literal += ',';
    literal += '"';
    for (char c : value) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    literal += '"';
  }
  return literal + "}";
}

}  // namespace steward::db
