#include "room/room_facts.hpp"

namespace steward::room {

namespace {

void apply_member(RoomFacts& facts, const matrix::Event& event, const core::UserId& bot) {
  const core::UserId user(*event.state_key);
  facts.members.erase(user);
  facts.invited.erase(user);
  facts.banned.erase(user);
  if (event.membership == "join") facts.members.insert(user);
  if (event.membership == "invite") facts.invited.insert(user);
  if (event.membership == "ban") facts.banned.insert(user);
  if (user != bot) return;
  facts.joined = event.membership == "join";
  const bool removed = (event.membership == "leave" || event.membership == "ban") && event.sender != bot;
  facts.removed_by = removed ? event.sender : core::UserId();
}

}  // namespace

void apply(RoomFacts& facts, const matrix::Event& event, const core::UserId& bot) {
  if (!event.state_key) return;
  if (event.type == "m.room.member") return apply_member(facts, event, bot);
  if (!event.state_key->empty()) return;
  if (event.type == "m.room.join_rules") {
    facts.join_rule = event.join_rule.empty() ? "invite" : event.join_rule;
    facts.has_join_rule = true;
  } else if (event.type == "m.room.history_visibility") {
    facts.history_visibility = event.history_visibility.empty() ? "shared" : event.history_visibility;
  } else if (event.type == "m.room.encryption") {
    facts.encrypted = true;
  } else if (event.type == "m.room.power_levels") {
    facts.has_power_levels = true;
  } else if (event.type == "m.room.tombstone") {
    facts.tombstone = event.event_id;
    facts.tombstone_by = event.sender;
    facts.replacement = core::RoomId(event.replacement_room);
  }
}

RoomFacts facts_from(const std::vector<matrix::Event>& state, const core::UserId& bot) {
  RoomFacts facts;
  for (const matrix::Event& event : state) apply(facts, event, bot);
  return facts;
}

std::string why_unusable(const RoomFacts& facts) {
  if (!facts.joined) {
    if (facts.removed_by.empty()) return "the bot is not in the room any more";
    return facts.removed_by.str() + " removed the bot from the room";
  }
  if (facts.encrypted) return "the room is encrypted, and this version of the bot cannot read encrypted messages";
  if (facts.join_rule == "public") return "anybody may join the room (its join rule is public)";
  if (facts.join_rule == "restricted" || facts.join_rule == "knock_restricted") {
    return "members of other rooms may join the room by themselves (its join rule is " + facts.join_rule + ")";
  }
  if (facts.history_visibility == "world_readable") return "anybody may read the room (its history is world readable)";
  return {};
}

}  // namespace steward::room
