// Reactions that the bot puts on a message of its own, each standing for a command line of whoever taps it. Used by the dispatcher
// (Answer::offers) and by commands (alert_watch). I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>
#include <vector>

#include "command/context.hpp"
#include "room/admin_room.hpp"

namespace steward::command {

using Offers = std::vector<std::pair<std::string, std::string>>;  // reaction, command line

// For the message that was said with `cause`: keeps the lines, waits half a minute for the send, then reacts. Where it is not sent by
// then the reactions stay away; the commands stand in the message, too.
boost::asio::awaitable<void> put_offers(Services& services, room::AdminRoom& room, std::string cause, Offers offers);

}  // namespace steward::command
