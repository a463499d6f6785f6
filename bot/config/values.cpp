#include "config/values.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>

#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::config {
namespace {

std::string expectation(const Setting& setting) {
  switch (setting.type) {
    case Type::text:
      return "text";
    case Type::secret:
      return "text in \"quotes\"";
    case Type::integer:
      return "a whole number";
    case Type::number:
      return "a number like 0.1";
    case Type::boolean:
      return "true or false";
    case Type::duration:
      return "a duration like 30d";
    case Type::size:
      return "a size like 10M";
    case Type::list:
      return "a list like [\"one\", \"two\"]";
    case Type::path:
      return "a path";
    case Type::url:
      return "an address like https://host";
    case Type::choice:
      return "one of " + core::join(core::split(setting.choices, '|'), ", ");
  }
  return "a value";
}

std::unexpected<std::string> unexpected_value(const Setting& setting, std::string_view found) {
  return std::unexpected(fmt::format("expected {}, found {}", expectation(setting), found));
}

template <class Number>
bool read_number(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Converted convert_boolean(const Setting& setting, const std::string& text) {
  const std::string word = core::to_lower_ascii(text);
  if (word == "true" || word == "yes") return true;
  if (word == "false" || word == "no") return false;
  return unexpected_value(setting, core::echo_word(text));
}

Converted convert_choice(const Setting& setting, const std::string& text) {
  const auto choices = core::split(setting.choices, '|');
  const auto near = core::nearest(core::to_lower_ascii(text), choices);
  if (near && *near == text) return text;
  std::string problem = fmt::format("{} is not {}", core::echo_word(text), expectation(setting));
  if (near) problem += fmt::format(". Did you mean {}?", *near);
  return std::unexpected(problem);
}

Converted convert_text(const Setting& setting, const std::string& text, const std::string& base) {
  std::int64_t whole = 0;
  double number = 0;
  switch (setting.type) {
    case Type::integer:
      return read_number(text, whole) ? Converted(whole) : unexpected_value(setting, core::echo_word(text));
    case Type::number:
      return read_number(text, number) && std::isfinite(number) ? Converted(number)
                                                                : unexpected_value(setting, core::echo_word(text));
    case Type::boolean:
      return convert_boolean(setting, text);
    case Type::duration: {
      const auto duration = core::parse_duration(text);
      return duration ? Converted(std::int64_t{duration->count()}) : std::unexpected(core::describe(duration.error()));
    }
    case Type::size: {
      const auto size = core::parse_size(text);
      return size ? Converted(size->count) : std::unexpected(core::describe(size.error()));
    }
    case Type::choice:
      return convert_choice(setting, text);
    case Type::path:
      return absolute(text, base);
    default:
      return text;
  }
}

Converted convert_list(const Setting& setting, const YAML::Node& node) {
  std::vector<std::string> entries;
  for (const YAML::Node& entry : node) {
    if (!entry.IsScalar() || entry.Scalar().empty() || lost_its_value(entry)) {
      return std::unexpected(fmt::format("an entry is {}; entries that start with ! # or @ need \"quotes\"",
                                         entry.IsScalar() ? "empty" : kind_of(entry)));
    }
    entries.push_back(entry.Scalar());
  }
  if (entries.empty() && setting.required) return std::unexpected("is empty; expected at least one entry");
  return entries;
}

}  // namespace

std::string absolute(const std::string& path, const std::string& base) {
  return (std::filesystem::path(base) / path).lexically_normal().string();  // an absolute path replaces the base
}

Converted convert(const Setting& setting, const YAML::Node& node, const std::string& base) {
  if (lost_its_value(node)) return unexpected_value(setting, kind_of(node));
  if (setting.type == Type::list)
    return node.IsSequence() ? convert_list(setting, node) : unexpected_value(setting, kind_of(node));
  if (!node.IsScalar()) return unexpected_value(setting, kind_of(node));
  return convert_text(setting, node.Scalar(), base);
}

// A default stands in the table as text, a list as "[]".
Converted default_of(const Setting& setting, const std::string& base) {
  if (setting.type == Type::list) return std::vector<std::string>{};
  return convert_text(setting, std::string(setting.default_value), base);
}

}  // namespace steward::config
