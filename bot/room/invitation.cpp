#include "room/invitation.hpp"

namespace steward::room {

namespace {

using Act = InvitationAnswer::Act;

InvitationAnswer reject(std::string why) { return {Act::reject, std::move(why)}; }

bool open_to_others(const std::string& join_rule) {
  // Absent: Synapse could not tell; the room's state is read after the join anyway.
  return !join_rule.empty() && join_rule != "invite" && join_rule != "private" && join_rule != "knock";
}

}  // namespace

InvitationAnswer answer_to(const matrix::Event& invitation, const InvitationSetting& setting) {
  const matrix::Event::Invitation stripped = invitation.invitation.value_or(matrix::Event::Invitation());
  if (!setting.by_admin) return reject("the inviter is not an admin of the bot");
  if (stripped.room_type == "m.space") return reject("it is a space");
  if (open_to_others(stripped.join_rule)) return reject("its join rule is " + stripped.join_rule);
  if (invitation.room_id == setting.room) return {Act::rejoin, {}};
  if (invitation.room_id == setting.successor) return {Act::join_successor, {}};
  if (stripped.encrypted) return {Act::explain_encrypted, {}};
  if (setting.have_room) return reject("the bot has an admin room");
  return {Act::adopt, {}};
}

}  // namespace steward::room
