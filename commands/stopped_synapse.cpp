#include "commands/stopped_synapse.hpp"

namespace steward::commands {

boost::asio::awaitable<core::Result<std::unique_ptr<db::OfflineGuard>>> keep_synapse_stopped(command::Context& context) {
  if (!context.services.new_session) co_return core::fail(core::Code::unavailable, "There is no connection to Synapse's database");
  auto guard = std::make_unique<db::OfflineGuard>(context.services.io, context.services.new_session("guard"));
  auto taken = co_await guard->take();
  if (!taken) co_return core::fail(taken.error());
  co_return std::move(guard);
}

}  // namespace steward::commands
