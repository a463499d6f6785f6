// Names of what the admin room remembers in the store and leaves on the homeserver. Used by admin_room's sources.
#pragma once

#include <string_view>

namespace steward::room {

// Keys of db::SettingStore.
inline constexpr std::string_view setting_room = "room.id";
inline constexpr std::string_view setting_configured = "room.configured";  // the config's room.id that setting_room came from
inline constexpr std::string_view setting_intent = "room.intent";          // a creation is under way
inline constexpr std::string_view setting_instance = "room.instance";      // random, marks the rooms made by this store
inline constexpr std::string_view setting_welcomed = "room.welcomed";      // the room that has its welcome card

// In the create event's content: the instance, so that a room is found again whose creation nobody heard the answer of.
inline constexpr std::string_view creation_marker = "net.synapse_steward.room";
// The bot's own tag on the admin room: finds it again when the store was lost.
inline constexpr std::string_view room_tag = "net.synapse-steward.admin";

}  // namespace steward::room
