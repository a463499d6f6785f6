// What to do with an invitation to the bot (facts/matrix-protocol.md §3.6), decided from its stripped state alone. Pure.
// Used by admin_room_follow.cpp and tests.
#pragma once

#include <string>

#include "core/ids.hpp"
#include "matrix/event.hpp"

namespace steward::room {

// Where the bot stands when the invitation comes.
struct InvitationSetting {
  bool by_admin = false;       // the inviter is in the config's list
  bool have_room = false;      // a usable admin room
  core::RoomId room;           // the admin room, also when it cannot be used
  core::RoomId successor;      // announced by an admin's tombstone
};

struct InvitationAnswer {
  enum class Act {
    reject,
    rejoin,            // our admin room takes us back
    join_successor,
    adopt,             // becomes the admin room
    explain_encrypted  // join, say why it cannot work, leave
  };
  Act act = Act::reject;
  std::string why;  // of a rejection, for the log
};

InvitationAnswer answer_to(const matrix::Event& invitation, const InvitationSetting& setting);

}  // namespace steward::room
