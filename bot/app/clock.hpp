// How far this machine's clock is from Synapse's, by the Date of an answer. Used by check and by the running bot, which judges
// the age of commands by Synapse's own word and only warns. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>

#include "http/client.hpp"

namespace steward::app {

// Beyond it schedules run at the wrong moment and the times in the two logs cannot be laid beside each other.
constexpr auto allowed_clock_skew = std::chrono::seconds(60);

// Never negative; none when Synapse does not answer or sends no date (RFC 9110, section 6.6.1).
boost::asio::awaitable<std::optional<std::chrono::seconds>> clock_skew(http::Client& homeserver);

}  // namespace steward::app
