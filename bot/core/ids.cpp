#include "core/ids.hpp"

#include <algorithm>
#include <charconv>

#include "core/text.hpp"

namespace steward::core {
namespace {

constexpr std::size_t longest_id =
    255;  // bytes, sigil and server included (specification, appendix "Identifier grammar")

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool has_control(std::string_view text) {
  const std::u32string points = to_code_points(text);
  return std::any_of(points.begin(), points.end(),
                     [](char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029; });
}

bool is_plain_id(std::string_view text, char sigil) {
  return text.size() >= 2 && text.size() <= longest_id && text.front() == sigil && is_valid_utf8(text) &&
         !has_control(text);
}

// The part after the first colon, or nullopt without one.
std::optional<std::string_view> server_part(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return text.substr(colon + 1);
}

// "@local:server", "#alias:server": neither side may be empty.
bool has_both_parts(std::string_view text) {
  const auto server = server_part(text);
  return server && text.size() - server->size() > 2 && is_server_name(*server);
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), is_digit)) return false;
  int port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port <= 65535;
}

bool is_ipv6_host(std::string_view host) {  // with its brackets
  if (host.size() < 4 || host.size() > 47 || host.back() != ']') return false;
  const auto inside = host.substr(1, host.size() - 2);
  return inside.find(':') != std::string_view::npos &&
         std::all_of(inside.begin(), inside.end(), [](char c) { return is_hex(c) || c == ':' || c == '.'; });
}

}  // namespace

bool is_server_name(std::string_view text) {
  if (text.empty() || text.size() > 230) return false;
  if (text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6_host(text.substr(0, end + 1))) return false;
    const auto rest = text.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const auto colon = text.find(':');
  const auto host = text.substr(0, colon);
  if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) return false;
  return !host.empty() && std::all_of(host.begin(), host.end(),
                                      [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; });
}

std::optional<RoomId> parse_room_id(std::string_view text) {
  if (!is_plain_id(text, '!') || text[1] == ':') return std::nullopt;
  if (const auto server = server_part(text); server && !is_server_name(*server)) return std::nullopt;
  return RoomId(std::string(text));
}

std::optional<UserId> parse_user_id(std::string_view text) {
  if (!is_plain_id(text, '@') || !has_both_parts(text)) return std::nullopt;
  return UserId(std::string(text));
}

std::optional<EventId> parse_event_id(std::string_view text) {
  if (!is_plain_id(text, '$')) return std::nullopt;
  return EventId(std::string(text));
}

std::optional<RoomAlias> parse_room_alias(std::string_view text) {
  if (!is_plain_id(text, '#') || !has_both_parts(text)) return std::nullopt;
  return RoomAlias(std::string(text));
}

std::optional<MediaId> parse_media_id(std::string_view text) {
  constexpr std::string_view scheme = "mxc://";
  if (!text.starts_with(scheme)) return std::nullopt;
  text.remove_prefix(scheme.size());
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto server = text.substr(0, slash);
  const auto id = text.substr(slash + 1);
  const bool id_is_fine = !id.empty() && id.size() <= longest_id && std::all_of(id.begin(), id.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_';
  });
  if (!is_server_name(server) || !id_is_fine) return std::nullopt;
  return MediaId{std::string(server), std::string(id)};
}

std::string_view localpart(const UserId& user) {
  const std::string_view text = user.str();
  if (text.empty()) return text;
  const auto colon = text.find(':');
  return text.substr(1, colon == std::string_view::npos ? colon : colon - 1);
}

std::string_view server_of(const UserId& user) { return server_part(user.str()).value_or(std::string_view{}); }

}  // namespace steward::core
