// Single fields out of JSON texts (state contents, stored rows, event_json), tolerant of whatever other people wrote.
// Used by room's sources and by commands that read events from the database.
// Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace steward::room {

// The string at a JSON pointer ("/predecessor/room_id"); empty when it is absent, of another type, or the text is not JSON.
std::string text_at(std::string_view json, std::string_view pointer);
// The strings of the array there; others are left out.
std::vector<std::string> texts_at(std::string_view json, std::string_view pointer);

}  // namespace steward::room
