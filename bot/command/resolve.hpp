// Turns what people point with (aliases, handles, `this`) into ids before a command sees its arguments. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "command/arguments.hpp"
#include "command/context.hpp"
#include "command/spec.hpp"
#include "core/error.hpp"

namespace steward::command {

// bad_input for a handle that is unknown or over an hour old, an alias that does not exist, `this` without a reply.
boost::asio::awaitable<core::Result<Arguments>> resolve(Arguments arguments, const Spec& spec, Context& context);

}  // namespace steward::command
