// What the bot knows of a room from its state events, and whether it can be the admin room. Pure: fed by admin_room.cpp from
// the full state and from single events. Used by room only. I/O thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "matrix/event.hpp"

namespace steward::room {

struct RoomFacts {
  bool joined = false;                 // the bot itself
  core::UserId removed_by;             // who kicked or banned the bot; empty while joined or after it left by itself
  std::set<core::UserId> members;      // joined, the bot too
  std::set<core::UserId> invited;
  std::set<core::UserId> banned;
  std::string join_rule = "invite";    // what the specification assumes when the event is absent
  std::string history_visibility = "shared";
  bool encrypted = false;              // once true it stays: a missing event later is no downgrade
  bool has_power_levels = false;       // createRoom sends events one by one: without them the room is half made
  bool has_join_rule = false;
  core::EventId tombstone;
  core::UserId tombstone_by;
  core::RoomId replacement;
};

// Takes a state event into account; other events and types change nothing.
void apply(RoomFacts& facts, const matrix::Event& event, const core::UserId& bot);
RoomFacts facts_from(const std::vector<matrix::Event>& state, const core::UserId& bot);

// Why it cannot be the admin room (bot removed, encrypted, open to anybody), as a sentence; empty: it can.
std::string why_unusable(const RoomFacts& facts);

}  // namespace steward::room
