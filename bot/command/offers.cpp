#include "command/offers.hpp"

#include "command/confirmation.hpp"
#include "core/log.hpp"

namespace steward::command {

namespace {
constexpr auto sent_within = std::chrono::seconds(30);
}  // namespace

boost::asio::awaitable<void> put_offers(Services& services, room::AdminRoom& room, std::string cause, Offers offers) {
  for (const auto& [key, line] : offers) {
    auto kept = co_await services.stores->alerts.offer(cause, fold_reaction(key), line);
    if (!kept) core::log_warning("offers", "{}", core::describe(kept.error()));
  }
  auto event = co_await room.sent(cause, sent_within);
  if (!event || event->empty()) co_return;
  for (const auto& [key, line] : offers) co_await room.react(cause + ":" + key, *event, key);
}

}  // namespace steward::command
