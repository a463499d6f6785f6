#include "command/status.hpp"

namespace steward::command {

using boost::asio::awaitable;

std::string status_cause(const core::EventId& command_event) { return "status:" + command_event.str(); }

awaitable<void> set_status(Services& services, room::AdminRoom& room, core::EventId command_event, std::string sign) {
  if (command_event.empty() || room.id().empty()) co_return;
  const std::string cause = status_cause(command_event);
  auto before = co_await services.stores->outbox.find(cause);
  if (before && *before && !(*before)->event_id.empty()) co_await room.redact(cause + ":over", (*before)->event_id, "over");
  std::string own_cause = cause + ":" + sign;
  co_await room.react(std::move(own_cause), std::move(command_event), std::move(sign));
}

}  // namespace steward::command
