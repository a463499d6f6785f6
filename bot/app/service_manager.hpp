// Tells the service manager that the bot is ready or stopping (sd_notify's protocol: one datagram to $NOTIFY_SOCKET).
// Does nothing where there is none. Used by app.
#pragma once

#include <string_view>

namespace steward::app {

void notify_service_manager(std::string_view state);  // "READY=1", "STOPPING=1", "STATUS=…"

}  // namespace steward::app
