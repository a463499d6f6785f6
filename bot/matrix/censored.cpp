#include "matrix/censored.hpp"

#include <nlohmann/json.hpp>

#include "matrix/event_json.hpp"

namespace steward::matrix {
namespace {

using nlohmann::json;

// What a redaction leaves of a membership, over all room versions; no displayname, avatar_url or reason among them.
bool left_of_membership(const std::string& key, const json& value) {
  if (key == "membership" || key == "join_authorised_via_users_server") return true;
  return key == "third_party_invite" && value.is_object() && value.size() == 1 && value.contains("signed");
}

}  // namespace

bool is_censored(std::string_view event_json) {
  const json event = json::parse(event_json, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) return false;
  const auto content = event.find("content");
  if (content == event.end() || !content->is_object()) return false;
  if (content->empty()) return true;
  if (text_field(event, "type") != "m.room.member") return false;
  for (const auto& [key, value] : content->items())
    if (!left_of_membership(key, value)) return false;
  return true;
}

}  // namespace steward::matrix
