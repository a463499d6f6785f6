// Matrix identifiers as types, so that a room id cannot be passed where a user id is meant. Opaque text inside:
// nothing is ever derived from a room id (version 12 ids have no server name). Any layer, any thread.
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace steward::core {

// The common part of all identifiers: holds the text, compares, hashes. An empty one means "none".
template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string text_;
};

using RoomId = Id<struct RoomIdTag>;        // "!opaque" or "!opaque:server"
using UserId = Id<struct UserIdTag>;        // "@localpart:server"
using EventId = Id<struct EventIdTag>;      // "$opaque"
using RoomAlias = Id<struct RoomAliasTag>;  // "#alias:server"

struct MediaId {  // "mxc://server/id"
  std::string server;
  std::string id;
  std::string str() const { return "mxc://" + server + "/" + id; }
  auto operator<=>(const MediaId&) const = default;
};

// Each parse checks the grammar of the specification (appendix "Identifier grammar": sigil, at most 255 bytes, no NUL or
// control characters; user and alias need a server part, room ids may lack it since room version 12) and nothing more.
std::optional<RoomId> parse_room_id(std::string_view text);
std::optional<UserId> parse_user_id(std::string_view text);
std::optional<EventId> parse_event_id(std::string_view text);
std::optional<RoomAlias> parse_room_alias(std::string_view text);
std::optional<MediaId> parse_media_id(std::string_view text);
// host, host:port, IPv4, [IPv6]:port
bool is_server_name(std::string_view text);

// "alice" and "hs.test:8448" of "@alice:hs.test:8448" (the server part starts after the first colon).
std::string_view localpart(const UserId& user);
std::string_view server_of(const UserId& user);

}  // namespace steward::core

template <class Tag>
struct std::hash<steward::core::Id<Tag>> {
  std::size_t operator()(const steward::core::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
