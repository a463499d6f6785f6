#include "room/json_fields.hpp"

#include <nlohmann/json.hpp>

namespace steward::room {

namespace {

using nlohmann::json;

json value_at(std::string_view text, std::string_view pointer) {
  const json parsed = json::parse(text.begin(), text.end(), nullptr, false);
  const json::json_pointer where{std::string(pointer)};
  if (parsed.is_discarded() || !parsed.contains(where)) return {};
  return parsed.at(where);
}

}  // namespace

std::string text_at(std::string_view text, std::string_view pointer) {
  const json value = value_at(text, pointer);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::vector<std::string> texts_at(std::string_view text, std::string_view pointer) {
  std::vector<std::string> texts;
  const json value = value_at(text, pointer);
  if (!value.is_array()) return texts;
  for (const json& item : value) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

}  // namespace steward::room
