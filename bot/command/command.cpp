#include "command/command.hpp"

#include <algorithm>

#include "core/log.hpp"

namespace steward::command {

using boost::asio::awaitable;

namespace {

// A command must not throw; one that does fails by itself and the bot goes on.
core::Error unexpected(std::string_view name, const std::exception& failure) {
  core::log_error("command", "{} ended with an exception: {}", name, failure.what());
  return {.code = core::Code::internal, .what = "!" + std::string(name) + " ended unexpectedly",
          .why = "a bug in the command; the log has the details", .next = "report it; !retry works on what is left of a job", .source = {}};
}

template <typename Value, typename... Given>
struct Guarded {
  std::string_view name;
  std::function<awaitable<core::Result<Value>>(Given...)> work;

  awaitable<core::Result<Value>> operator()(Given... given) const {
    try {
      auto working = work(std::forward<Given>(given)...);
      co_return co_await std::move(working);
    } catch (const std::exception& failure) {
      co_return core::fail(unexpected(name, failure));
    }
  }
};

template <typename Value, typename... Given>
void guard(std::string_view name, std::function<awaitable<core::Result<Value>>(Given...)>& work) {
  if (work) work = Guarded<Value, Given...>{name, std::move(work)};
}

}  // namespace

Table::Table(std::vector<Command> commands) : commands_(std::move(commands)) {
  specs_.reserve(commands_.size());
  for (Command& command : commands_) {
    guard(command.spec.name, command.answer);
    guard(command.spec.name, command.plan);
    guard(command.spec.name, command.run);
    specs_.push_back(&command.spec);
  }
}

const Command* Table::find(std::string_view canonical_name) const {
  const auto found = std::find_if(commands_.begin(), commands_.end(),
                                  [&](const Command& command) { return command.spec.name == canonical_name; });
  return found == commands_.end() ? nullptr : &*found;
}

}  // namespace steward::command
