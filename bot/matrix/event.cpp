#include "matrix/event.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "matrix/event_json.hpp"

namespace steward::matrix {

using nlohmann::json;

namespace {

// Clients and Synapse itself recurse over JSON far less; dump() and copies recurse, so deeper events are refused before
// them.
constexpr std::size_t deepest_event = 100;
// An event of 64 KB cannot nest deeper, so such a body is not Synapse's; parsing it would cost a hundred times its
// size.
constexpr std::size_t deepest_body = 100'000;

// The types whose whole text somebody reads again from the inbox; all others save the dump.
constexpr std::array<std::string_view, 9> stored_types = {
    "m.room.message",   "m.reaction",        "m.room.redaction",    "m.room.member",    "m.room.history_visibility",
    "m.room.tombstone", "m.room.encryption", "m.room.power_levels", "m.room.join_rules"};

bool is_stored(std::string_view type) {
  return std::find(stored_types.begin(), stored_types.end(), type) != stored_types.end();
}

const json* field(const json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

const json& object_field(const json& object, std::string_view key) {
  static const json none = json::object();
  const json* value = field(object, key);
  return value != nullptr && value->is_object() ? *value : none;
}

bool flag_field(const json& object, std::string_view key) {
  const json* value = field(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

// Whole numbers; old room versions may hold others, which are cut, and numbers beyond 64 bits, which are none.
std::optional<std::int64_t> number_field(const json& object, std::string_view key) {
  const json* value = field(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  constexpr double limit = 9.0e18;
  const double rough = value->get<double>();
  if (!std::isfinite(rough) || std::abs(rough) > limit) return std::nullopt;
  if (value->is_number_float()) return static_cast<std::int64_t>(rough);
  return value->get<std::int64_t>();
}

template <class Id>
Id id_field(const json& object, std::string_view key, std::optional<Id> (*parse)(std::string_view)) {
  const json* value = field(object, key);
  if (value == nullptr || !value->is_string()) return Id();
  return parse(value->get_ref<const std::string&>()).value_or(Id());
}

bool text_nests_deeper_than(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return false;
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// The four hex digits of the escape \uXXXX that starts at `at`, or nullopt.
std::optional<unsigned> escape_at(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  const std::string_view digits = text.substr(at + 2, 4);
  if (!std::all_of(digits.begin(), digits.end(), is_hex)) return std::nullopt;
  return static_cast<unsigned>(std::stoul(std::string(digits), nullptr, 16));
}

// Half a surrogate pair is legal in JSON and in Python, and no Unicode: the parser refuses it, so it becomes U+FFFD.
std::string replace_lone_surrogates(std::string text) {
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] != '\\') continue;
    const auto unit = escape_at(text, at);
    if (!unit || *unit < 0xD800 || *unit > 0xDFFF) {
      ++at;  // over the escaped character, which may be a backslash
      continue;
    }
    const auto next = escape_at(text, at + 6);
    const bool paired = *unit < 0xDC00 && next && *next >= 0xDC00 && *next <= 0xDFFF;
    if (!paired) text.replace(at + 2, 4, "fffd");
    at += paired ? 11 : 5;
  }
  return text;
}

// A broken byte in one event must not cost the others of the body: a second try repairs the text. Discarded when
// hopeless.
json parse_tolerantly(std::string_view text) {
  if (text_nests_deeper_than(text, deepest_body)) return json(json::value_t::discarded);
  json parsed = json::parse(text.begin(), text.end(), nullptr, false);
  if (!parsed.is_discarded()) return parsed;
  const std::string repaired = replace_lone_surrogates(core::replace_invalid_utf8(text));
  if (repaired == text) return parsed;
  return json::parse(repaired, nullptr, false);
}

Event::Invitation invitation_from(const json& stripped) {
  Event::Invitation invitation;
  for (const json& state : stripped) {
    const std::string type = text_field(state, "type");
    const json& content = object_field(state, "content");
    if (type == "m.room.join_rules") invitation.join_rule = text_field(content, "join_rule");
    if (type == "m.room.encryption") invitation.encrypted = true;
    if (type == "m.room.create") {
      invitation.room_type = text_field(content, "type");
      invitation.creator = text_field(state, "sender");
    }
  }
  return invitation;
}

void read_unsigned(const json& source, Event& event) {
  const json& extra = object_field(source, "unsigned");
  // Top-level copies are Synapse's own and older; `unsigned` is the specification's.
  const auto age = number_field(extra, "age");
  event.age =
      std::chrono::milliseconds(std::max<std::int64_t>(0, age.value_or(number_field(source, "age").value_or(0))));
  event.transaction_id = text_field(extra, "transaction_id");
  const json* because = field(extra, "redacted_because");
  event.redacted = because != nullptr && !because->is_null();
  event.soft_failed = flag_field(extra, "io.element.synapse.soft_failed") ||
                      flag_field(extra, "io.element.synapse.policy_server_spammy") ||
                      flag_field(extra, "io.element.synapse.spam_checker_spammy");
  if (event.type != "m.room.member" || event.membership != "invite") return;
  const json* stripped = field(extra, "invite_room_state");
  if (stripped == nullptr) stripped = field(source, "invite_room_state");
  if (stripped != nullptr && stripped->is_array()) event.invitation = invitation_from(*stripped);
}

void read_relation(const json& content, Event& event) {
  const json& relation = object_field(content, "m.relates_to");
  event.relation_type = text_field(relation, "rel_type");
  event.relates_to = id_field(relation, "event_id", &core::parse_event_id);
  event.reaction_key = text_field(relation, "key");
  event.in_reply_to = id_field(object_field(relation, "m.in_reply_to"), "event_id", &core::parse_event_id);
}

void read_mentions(const json& content, Event& event) {
  const json* users = field(object_field(content, "m.mentions"), "user_ids");
  if (users == nullptr || !users->is_array()) return;
  for (const json& user : *users) {
    if (!user.is_string()) continue;
    auto id = core::parse_user_id(user.get_ref<const std::string&>());
    if (id) event.mentions.push_back(std::move(*id));
  }
}

void read_message(const json& content, Event& event) {
  event.msgtype = text_field(content, "msgtype");
  event.body = text_field(content, "body");
  event.formatted_body = text_field(content, "formatted_body");
  event.has_new_content = field(content, "m.new_content") != nullptr;
  read_mentions(content, event);
  const json& command = object_field(content, "org.matrix.msc4391.command");
  if (!command.empty()) event.command_description = compact(command);
}

void read_state(const json& content, Event& event) {
  event.membership = event.type == "m.room.member" ? text_field(content, "membership") : std::string();
  if (event.type == "m.room.join_rules") event.join_rule = text_field(content, "join_rule");
  if (event.type == "m.room.encryption") event.encryption_algorithm = text_field(content, "algorithm");
  if (event.type == "m.room.history_visibility") event.history_visibility = text_field(content, "history_visibility");
  if (event.type == "m.room.tombstone") event.replacement_room = text_field(content, "replacement_room");
}

void read_content(const json& source, const json& content, Event& event) {
  read_relation(content, event);
  if (event.type == "m.room.message") read_message(content, event);
  if (event.state_key) read_state(content, event);
  if (event.type == "m.room.redaction") {
    event.redacts = id_field(content, "redacts", &core::parse_event_id);  // room version 11 moved it into the content
    if (event.redacts.empty()) event.redacts = id_field(source, "redacts", &core::parse_event_id);
  }
}

std::unexpected<core::Error> broken(std::string why) {
  return core::fail(core::Code::protocol, "An event could not be read", std::move(why));
}

}  // namespace

std::string text_field(const json& object, std::string_view key) {
  const json* value = field(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

// Without recursion: the hostile value may be deeper than any stack.
bool nests_too_deeply(const json& value) {
  std::vector<std::pair<const json*, std::size_t>> open;
  open.emplace_back(&value, 1);
  while (!open.empty()) {
    const auto [here, depth] = open.back();
    open.pop_back();
    if (!here->is_structured()) continue;
    if (depth > deepest_event) return true;
    for (const json& child : *here) {
      if (child.is_structured()) open.emplace_back(&child, depth + 1);
    }
  }
  return false;
}

std::string compact(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

core::Result<Event> event_from_json(const json& source, const core::RoomId& room) {
  if (!source.is_object()) return broken("it is not an object");
  Event event;
  event.event_id = id_field(source, "event_id", &core::parse_event_id);
  event.room_id = field(source, "room_id") == nullptr ? room : id_field(source, "room_id", &core::parse_room_id);
  event.sender = id_field(source, "sender", &core::parse_user_id);
  event.type = text_field(source, "type");
  if (event.event_id.empty()) return broken("it has no event_id");
  if (event.room_id.empty()) return broken("it has no room_id");
  if (event.sender.empty()) return broken("it has no sender");
  if (event.type.empty()) return broken("it has no type");
  const json* content = field(source, "content");
  if (content == nullptr || !content->is_object()) return broken("its content is not an object");
  const json* state_key = field(source, "state_key");
  if (state_key != nullptr && !state_key->is_string()) return broken("its state_key is not text");
  const bool stored = is_stored(event.type);
  if (stored && nests_too_deeply(source)) return broken("it is nested too deeply");

  if (state_key != nullptr) event.state_key = state_key->get<std::string>();
  event.origin_server_ts = number_field(source, "origin_server_ts").value_or(0);
  read_content(source, *content, event);
  read_unsigned(source, event);
  if (content->empty() && (event.type == "m.room.message" || event.type == "m.reaction")) event.redacted = true;
  if (stored) event.json = compact(source);
  return event;
}

core::Result<Event> parse_event(std::string_view text) {
  const json parsed = parse_tolerantly(text);
  if (parsed.is_discarded()) return broken("it is not JSON");
  return event_from_json(parsed, core::RoomId());
}

core::Result<Batch> parse_transaction(std::string_view body) {
  const json parsed = parse_tolerantly(body);
  if (!parsed.is_object()) {
    return core::fail(core::Code::bad_input, "A transaction could not be read", "its body is not a JSON object");
  }
  Batch batch;
  const json* events = field(parsed, "events");
  if (events == nullptr) return batch;
  if (!events->is_array()) {
    ++batch.broken;
    return batch;
  }
  batch.events.reserve(events->size());
  for (const json& source : *events) {
    auto event = event_from_json(source, core::RoomId());
    if (event) {
      batch.events.push_back(std::move(*event));
    } else {
      ++batch.broken;
    }
  }
  return batch;
}

}  // namespace steward::matrix
