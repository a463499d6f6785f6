// Events out of parsed JSON, for the .cpp files of this layer that hold an answer or a transaction already. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "matrix/event.hpp"

namespace steward::matrix {

// As parse_event. `room` is used where the event does not name its room (answers about one room may leave it out).
core::Result<Event> event_from_json(const nlohmann::json& json, const core::RoomId& room);

// The string under `key`; empty when absent or of another type.
std::string text_field(const nlohmann::json& object, std::string_view key);

// Deeper than any event of sense, and too deep for code that recurses, such as dump() and copies.
bool nests_too_deeply(const nlohmann::json& json);

// Compact, invalid UTF-8 replaced; never throws, unlike a plain dump(). Not for values that nest too deeply.
std::string compact(const nlohmann::json& json);

}  // namespace steward::matrix
