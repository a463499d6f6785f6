// Builds request targets: every path segment and query value percent-encoded by Boost.URL, because an escaping bug
// here is a security bug (room ids hold `!`, `/` and `:`). Used by matrix, synapse, any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace steward::http {

// target({"_matrix", "client", "v3", "rooms", room_id, "send"}, {{"user_id", user}}) →
// "/_matrix/client/v3/rooms/%21a.../send?user_id=%40steward%3Ahs". Segments are literal text, not pre-encoded.
std::string target(const std::vector<std::string>& segments,
                   const std::vector<std::pair<std::string, std::string>>& query = {});

// Splits and percent-decodes a received target. Empty segments and a failed decoding give an empty path.
struct ParsedTarget {
  std::vector<std::string> segments;
  std::vector<std::pair<std::string, std::string>> query;
};
ParsedTarget parse_target(std::string_view target);

// The value without percent escapes; the text itself when an escape is broken.
std::string percent_decode(std::string_view text);

}  // namespace steward::http
