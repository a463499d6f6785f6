#include "command/verification.hpp"

#include "async/tasks.hpp"
#include "db/guard.hpp"

namespace steward::command {

using boost::asio::awaitable;

namespace {

core::Error forged(std::string why) {
  return {core::Code::not_allowed, "A forged command was refused", std::move(why),
          "somebody holds the hs_token or another application service may speak for your users: run `steward check`, then "
          "`steward rotate-tokens`",
          "FORGED"};
}

bool same(const matrix::Event& pushed, const matrix::Event& fetched) {
  return pushed.sender == fetched.sender && pushed.type == fetched.type && pushed.msgtype == fetched.msgtype &&
         pushed.body == fetched.body && pushed.formatted_body == fetched.formatted_body &&
         pushed.relation_type == fetched.relation_type && pushed.relates_to == fetched.relates_to &&
         pushed.reaction_key == fetched.reaction_key && pushed.in_reply_to == fetched.in_reply_to;
}

}  // namespace

awaitable<core::Result<matrix::Event>> verify_event(matrix::Event event, Services& services) {
  auto fetched = co_await services.chat->event(event.room_id, event.event_id);
  if (!fetched) {
    if (fetched.error().code == core::Code::not_found)
      co_return core::fail(forged("the homeserver has no event " + event.event_id.str()));
    co_return core::fail(fetched.error());
  }
  if (fetched->redacted)
    co_return core::fail(core::Code::cancelled, "The command was taken back", "its message was redacted", {});
  if (!same(event, *fetched)) co_return core::fail(forged("the homeserver's copy of the event says something else"));
  if (services.plan) {
    auto own = co_await db::sent_by_own_device(*services.plan, event.event_id, event.sender);
    if (!own) co_return core::fail(own.error());
    if (*own) co_return *fetched;
    // Not in this database at all: it is not the homeserver's, which verify_database says by name for all above level 0.
    auto known = co_await db::has_event(*services.plan, event.event_id);
    if (!known) co_return core::fail(known.error());
    if (*known)
      co_return core::fail(forged("no device of " + event.sender.str() + " sent it (an application service or an impersonation token did)"));
  }
  co_return *fetched;
}

awaitable<core::Result<void>> verify_stopped_database(Services& services) {
  if (!services.read) co_return core::Result<void>();
  auto newest = co_await services.stores->outbox.newest_sent(services.admin_room());
  if (!newest) co_return core::fail(newest.error());
  if (!*newest)
    co_return core::fail(core::Code::conflict, "Nothing shows that this is the homeserver's database",
                         "the bot knows of no message that it sent lately", "start Synapse and the bot once, then stop Synapse again");
  co_return co_await verify_database((*newest)->event_id, services);
}

awaitable<core::Result<void>> verify_database(core::EventId just_sent, Services& services) {
  if (!services.plan) co_return core::Result<void>();
  // The send was answered after the event was persisted, so it must be there; a replica would need a moment more.
  for (int attempt = 0; attempt < 5; ++attempt) {
    auto found = co_await db::has_event(*services.plan, just_sent);
    if (!found) co_return core::fail(found.error());
    if (*found) co_return core::Result<void>();
    co_await async::sleep_for(std::chrono::milliseconds(200));
  }
  auto name = co_await db::database_name(*services.plan);
  co_return core::fail(core::Code::conflict, "The database is not this homeserver's",
                       "the newest event that the bot sent to " + services.options->server_name + " is not in " +
                           (name ? *name : std::string("the configured database")),
                       "set `database.synapse` to the database Synapse itself uses (a staging copy or another server's database would be "
                       "planned on and the wrong rooms deleted)");
}

}  // namespace steward::command
