#include "command/resolve.hpp"

#include <cctype>

#include "core/ids.hpp"

namespace steward::command {

using boost::asio::awaitable;

namespace {

bool is_handle(const std::string& text) {
  if (text.size() < 2 || text.size() > 6 || std::isalpha(static_cast<unsigned char>(text[0])) == 0) return false;
  for (std::size_t index = 1; index < text.size(); ++index)
    if (std::isdigit(static_cast<unsigned char>(text[index])) == 0) return false;
  return true;
}

bool may_point(Type type) { return type == Type::room || type == Type::user || type == Type::media || type == Type::event; }

awaitable<core::Result<std::string>> resolve_one(std::string value, Type type, Context& context) {
  if (value == "this") {
    if (!context.replied_to)
      co_return core::fail(core::Code::bad_input, "`this` means the message you reply to, and this is no reply", {},
                           "reply to the message, or give its id");
    co_return type == Type::user ? context.replied_to->sender.str() : context.replied_to->event_id.str();
  }
  if (is_handle(value)) {
    auto target = co_await context.stores().settings.handle(context.asker, value);
    if (!target) co_return core::fail(target.error());
    if (!*target)
      co_return core::fail(core::Code::bad_input, "The handle " + value + " means nothing any more",
                           "handles belong to the list you were last shown and live an hour", "show the list again, or give the full id");
    co_return **target;
  }
  if (type == Type::room && value.starts_with('#')) {
    auto room = co_await context.services.chat->resolve_alias(core::RoomAlias(value));
    if (!room) co_return core::fail(room.error());
    if (!*room) co_return core::fail(core::Code::not_found, "There is no room " + value, "the alias is unknown", {});
    co_return (**room).str();
  }
  co_return value;
}

}  // namespace

awaitable<core::Result<Arguments>> resolve(Arguments arguments, const Spec& spec, Context& context) {
  for (const Argument& argument : spec.arguments) {
    if (!may_point(argument.type) || !arguments.has(argument.name)) continue;
    std::vector<std::string> resolved;
    for (std::string& value : arguments.list(argument.name)) {
      auto one = co_await resolve_one(std::move(value), argument.type, context);
      if (!one) co_return core::fail(one.error());
      resolved.push_back(std::move(*one));
    }
    arguments.replace(argument.name, std::move(resolved));
  }
  co_return arguments;
}

}  // namespace steward::command
