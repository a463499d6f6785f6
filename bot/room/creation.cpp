// Which room it is: the config's, the remembered one, one of ours found on the homeserver, else a new one.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "async/tasks.hpp"
#include "core/log.hpp"
#include "core/secret.hpp"
#include "room/admin_room.hpp"
#include "room/json_fields.hpp"
#include "room/room_settings.hpp"

namespace steward::room {

namespace asio = boost::asio;
using core::Code;
using core::Result;
using core::RoomId;
using nlohmann::json;

namespace {

json state_event(std::string_view type, json content) {
  return json{{"type", type}, {"state_key", ""}, {"content", std::move(content)}};
}

// Preset public_chat with an invite-only join rule: encryption_enabled_by_default_for_room_type "invite" encrypts every
// private preset by force. `users` is left to Synapse, because room version 12 refuses its creator in there and older
// versions need it.
std::string creation_request(const AdminRoomOptions& options, const std::string& instance) {
  json initial_state = json::array();
  initial_state.push_back(state_event("m.room.join_rules", json{{"join_rule", "invite"}}));
  initial_state.push_back(state_event("m.room.guest_access", json{{"guest_access", "forbidden"}}));
  initial_state.push_back(state_event("m.room.history_visibility", json{{"history_visibility", "shared"}}));
  const json request{
      {"preset", "public_chat"},
      {"visibility", "private"},
      {"name", options.name},
      {"topic", "Commands for " + options.server_name + ". Type !help"},
      {"creation_content", json{{"m.federate", false}, {std::string(creation_marker), instance}}},
      {"power_level_content_override", json{{"invite", 100}, {"state_default", 100}, {"events_default", 0}}},
      {"initial_state", std::move(initial_state)},
  };
  return request.dump();
}

}  // namespace

asio::awaitable<Result<void>> AdminRoom::locate() {
  auto stored = co_await settings_.get(std::string(setting_room));
  if (!stored) co_return std::unexpected(stored.error());
  if (options_.configured.empty()) {
    if (!*stored) co_return co_await find_or_create();
    id_ = RoomId(**stored);
    co_return Result<void>();
  }
  auto origin = co_await settings_.get(std::string(setting_configured));
  if (!origin) co_return std::unexpected(origin.error());
  const bool followed = *stored && *origin == options_.configured.str();
  id_ = followed ? RoomId(**stored) : options_.configured;
  if (id_ != options_.configured) {
    core::log_warning("room", "the configured room {} was replaced by {}; set room.id to it", options_.configured.str(),
                      id_.str());
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> AdminRoom::find_or_create() {
  if (creation_refused_) co_return core::fail(*creation_refused_);
  auto found = co_await find_own();
  if (!found) co_return std::unexpected(found.error());
  RoomId room = found->value_or(RoomId());
  if (room.empty()) {
    auto name = co_await instance();
    if (!name) co_return std::unexpected(name.error());
    auto created = co_await create(std::move(*name));
    if (!created) co_return std::unexpected(created.error());
    room = std::move(*created);
    core::log_info("room", "created the admin room {}", room.str());
  } else {
    core::log_info("room", "found the admin room {} again", room.str());
  }
  auto plain = co_await refuse_if_encrypted(room);
  if (!plain) co_return plain;
  id_ = room;
  co_return co_await remember(std::move(room));
}

// One of the rooms the bot is in that carries our tag, or our marker while a creation is under way.
asio::awaitable<Result<std::optional<RoomId>>> AdminRoom::find_own() {
  auto intent = co_await settings_.get(std::string(setting_intent));
  if (!intent) co_return std::unexpected(intent.error());
  auto joined = co_await client_.joined_rooms();
  if (!joined) co_return std::unexpected(joined.error());
  for (const RoomId& room : *joined) {
    auto ours = co_await is_ours(room, intent->value_or(""));
    if (!ours) co_return std::unexpected(ours.error());
    if (*ours) co_return std::optional<RoomId>(room);
  }
  co_return std::optional<RoomId>();
}

// `instance` is empty when no creation was under way: then only the tag counts.
asio::awaitable<Result<bool>> AdminRoom::is_ours(RoomId room, std::string instance) {
  auto tags = co_await client_.tags(room);
  if (!tags) co_return std::unexpected(tags.error());
  if (std::ranges::find(*tags, room_tag) != tags->end()) co_return true;
  if (instance.empty()) co_return false;
  auto creation = co_await client_.state_content(room, "m.room.create", "");
  if (!creation) co_return std::unexpected(creation.error());
  const std::string marker = text_at(creation->value_or(""), "/" + std::string(creation_marker));
  if (marker != instance) co_return false;
  // Synapse died in the middle of createRoom: without power levels anybody could do anything.
  auto levels = co_await client_.state_content(room, "m.room.power_levels", "");
  if (!levels) co_return std::unexpected(levels.error());
  if (levels->has_value()) co_return true;
  core::log_warning("room", "left {}, whose creation was cut off half-way", room.str());
  co_await leave(std::move(room));
  co_return false;
}

asio::awaitable<Result<RoomId>> AdminRoom::create(std::string instance) {
  auto noted = co_await settings_.put(std::string(setting_intent), instance);
  if (!noted) co_return std::unexpected(noted.error());
  auto created = co_await client_.create_room(creation_request(options_, instance));
  if (created) co_return created;
  const Code code = created.error().code;
  const bool may_exist = code == Code::in_doubt || code == Code::timeout;
  for (int look = 0; may_exist && look < 5; ++look) {
    const bool slept = co_await async::sleep_for(options_.look_again);
    if (!slept) break;
    auto found = co_await find_own();
    if (found && *found) co_return **found;
  }
  co_return std::unexpected(created.error());
}

// A room that is encrypted from its first moment is left again: the bot could not read a word in it.
asio::awaitable<Result<void>> AdminRoom::refuse_if_encrypted(RoomId room) {
  auto encryption = co_await client_.state_content(room, "m.room.encryption", "");
  if (!encryption) co_return std::unexpected(encryption.error());
  if (!*encryption) co_return Result<void>();
  co_await leave(std::move(room));
  auto erased = co_await settings_.erase(std::string(setting_intent));
  if (!erased) co_return erased;
  auto refused = core::fail(
      Code::rejected, "The admin room cannot be made",
      "this homeserver encrypts every new room (encryption_enabled_by_default_for_room_type: all), and this version of the bot "
      "cannot read encrypted messages",
      "Set encryption_enabled_by_default_for_room_type to invite or off in homeserver.yaml, restart Synapse, then the bot");
  creation_refused_ = refused.error();
  co_return refused;
}

asio::awaitable<Result<std::string>> AdminRoom::instance() {
  auto stored = co_await settings_.get(std::string(setting_instance));
  if (!stored) co_return std::unexpected(stored.error());
  if (*stored) co_return **stored;
  std::string made = core::random_token(24);
  auto kept = co_await settings_.put(std::string(setting_instance), made);
  if (!kept) co_return std::unexpected(kept.error());
  co_return made;
}

// The store first: from then on the marker and the tag are not needed any more.
asio::awaitable<Result<void>> AdminRoom::remember(RoomId room) {
  auto kept = co_await settings_.put(std::string(setting_room), room.str());
  if (!kept) co_return kept;
  kept = co_await settings_.put(std::string(setting_configured), options_.configured.str());
  if (!kept) co_return kept;
  auto tagged = co_await client_.put_tag(std::move(room), std::string(room_tag));
  if (!tagged) core::log_warning("room", "the admin room got no tag: {}", describe(tagged.error()));
  co_return co_await settings_.erase(std::string(setting_intent));
}

}  // namespace steward::room
