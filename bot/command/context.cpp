#include "command/context.hpp"

namespace steward::command {

namespace {

core::Result<db::Session*> need(db::Session* session) {
  if (session) return session;
  return core::fail(core::Code::unavailable, "This needs Synapse's database, and there is no connection to it",
                    "`database.synapse` is not set in the configuration",
                    "set it in steward.yaml (steward setup prints the GRANTs) and restart the bot");
}

}  // namespace

core::Result<db::Session*> Context::read() const { return need(services.read); }
core::Result<db::Session*> Context::work() const { return need(services.work); }

}  // namespace steward::command
